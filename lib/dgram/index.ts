// SPDX-License-Identifier: Apache-2.0
// pronghorn/dgram: node:dgram on our stack. What differs is listed in docs/differences.md.

import type { RemoteInfo, SocketType } from 'node:dgram'
import { type DatagramOptions, Socket } from './socket.js'

export type { BindOptions, RemoteInfo, SocketType } from 'node:dgram'
export type { DatagramOptions } from './socket.js'
export { Socket }

export function createSocket(
    type: SocketType | DatagramOptions,
    listener?: (message: Buffer, from: RemoteInfo) => void,
): Socket {
    return new Socket(type, listener)
}

export default { createSocket, Socket }
