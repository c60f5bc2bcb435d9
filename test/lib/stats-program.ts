// SPDX-License-Identifier: Apache-2.0
// Played by stats-live.test.ts: a server, an echoed message of known size, and then nothing more.

import type { AddressInfo } from 'node:net'
import { connect, createServer } from '../../lib/net/index.js'
import { host, startStack } from './stack.js'

const BYTES = 100_000

startStack()
const server = createServer((accepted) => accepted.pipe(accepted))
server.listen(0, host, () => {
    const { port } = server.address() as AddressInfo
    const client = connect(port, host)
    let got = 0
    client.write(Buffer.alloc(BYTES))
    client.on('data', (data) => {
        got += data.length
        if (got === BYTES) console.log(JSON.stringify({ port, own: client.localPort }))
    })
})
process.stdin.resume().on('end', () => process.exit(0))
