// SPDX-License-Identifier: Apache-2.0
// A connection on the tests' stack, and both its ends.

import { once } from 'node:events'
import {
    type AddressInfo,
    connect,
    createServer,
    type ServerOptions,
    type Socket,
} from '../../lib/net/index.js'
import { host } from './stack.js'

/** The client's end, the server's, which is not read yet, and how to destroy both. */
export async function pair(
    options: ServerOptions = { pauseOnConnect: true },
): Promise<[Socket, Socket, () => void]> {
    const server = createServer(options).listen(0, host)
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, host)
    const [socket] = (await once(server, 'connection')) as [Socket]
    if (client.connecting) await once(client, 'connect')
    server.close()
    return [client, socket, () => [client, socket].forEach((one) => void one.destroy())]
}
