// SPDX-License-Identifier: Apache-2.0
// pronghorn/dgram: node:dgram on our stack. What differs is listed in docs/differences.md.

import type { SocketType } from 'node:dgram'
import { callable } from '../callable.js'
import { type DatagramOptions, type OnDatagram, Socket as SocketClass } from './socket.js'

export type { BindOptions, RemoteInfo, SocketType } from 'node:dgram'
export type { DatagramOptions, OnDatagram } from './socket.js'

export const Socket = callable(SocketClass)
export type Socket = SocketClass

export function createSocket(type: SocketType | DatagramOptions, listener?: OnDatagram): Socket {
    return new SocketClass(type, listener)
}

export default { createSocket, Socket }
