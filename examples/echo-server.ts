// SPDX-License-Identifier: Apache-2.0
// A TCP echo: the same program as with node:net, from another module.
//
//     PRONGHORN_PORT=af_packet,iface=va,address=10.0.0.1/24 npx tsx examples/echo-server.ts 7
import type { AddressInfo } from 'node:net'
import { createServer } from 'pronghorn/net'

const server = createServer((socket) => {
    const who = `${socket.remoteAddress}:${socket.remotePort}`
    console.log(`${who} connected`)
    socket.on('error', (error) => console.log(`${who} ${error.message}`))
    socket.on('close', () => console.log(`${who} closed, ${socket.bytesRead} bytes`))
    socket.pipe(socket)
})
server.listen(Number(process.argv[2] ?? 7), () => {
    const { address, port } = server.address() as AddressInfo
    console.log(`echo-server: listening on ${address} port ${port}`)
})
