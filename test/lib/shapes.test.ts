// SPDX-License-Identifier: Apache-2.0
// Objects of one class share a shape in V8, however they were made; or each look-up of one of their
// properties would miss its cache.
import { setFlagsFromString } from 'node:v8'
import dgram from 'pronghorn/dgram'
import net from 'pronghorn/net'
import t from 'tap'

setFlagsFromString('--allow-natives-syntax')
const alike = new Function('a', 'b', 'return %HaveSameMap(a, b) && %HasFastProperties(a)') as (
    a: object,
    b: object,
) => boolean

for (const [name, make] of Object.entries({
    'net.Socket': () => new net.Socket(),
    'net.Socket without new': () => net.Socket(),
    'net.Server': () => new net.Server(),
    'dgram.Socket': () => new dgram.Socket('udp4'),
}))
    t.test(name, async (t) => {
        const [first, second] = [make(), make()]
        t.ok(alike(first, second))
        for (const one of [first, second]) if (one instanceof dgram.Socket) one.close()
    })
