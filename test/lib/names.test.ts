// SPDX-License-Identifier: Apache-2.0
// What Node's modules export, ours do, as ES modules and as CommonJS.
import { createRequire } from 'node:module'
import t from 'tap'

const require = createRequire(import.meta.url)

/** What docs/differences.md says is not there. */
const absent = ['BoundSocket']

for (const name of ['net', 'dgram', 'http', 'https', 'http2', 'tls'])
    t.test(name, async (t) => {
        const theirs = Object.keys(require(`node:${name}`)).filter((key) => !key.startsWith('_'))
        for (const [kind, ours] of [
            ['import', await import(`pronghorn/${name}`)],
            ['require', require(`pronghorn/${name}`)],
        ])
            t.same(
                theirs.filter((key) => !(key in ours) && !absent.includes(key)),
                [],
                kind,
            )
    })
