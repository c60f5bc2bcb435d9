// SPDX-License-Identifier: Apache-2.0
// A small HTTP server over the `http` API: node:http and pronghorn/http run this same program; wrk is
// its client.
//     http.ts server MODULE ADDRESS PORT SECONDS WARMUP

import type * as NodeHttp from 'node:http'
import { limitLife } from './program.js'

const [, moduleName, address, port] = process.argv.slice(2) as [string, string, string, string]
const http = (await import(moduleName)) as typeof NodeHttp

limitLife()

const body = Buffer.from('{"symbol":"000001","price":12.34,"volume":5600}\n')
const headers = { 'content-type': 'application/json', 'content-length': body.length }
const server = http.createServer((_request, response) => {
    response.writeHead(200, headers)
    response.end(body)
})
process.once('SIGTERM', () => process.exit(0))
server.listen(Number(port), address, () => process.stdout.write('ready\n'))
