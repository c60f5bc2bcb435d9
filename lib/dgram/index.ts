// SPDX-License-Identifier: Apache-2.0
// pronghorn/dgram: node:dgram on our stack. What differs is listed in docs/differences.md.

import type { SocketType } from 'node:dgram'
import { callable } from '../callable.js'
import { Socket as SocketClass } from './socket.js'
import type { DatagramOptions, OnDatagram } from './types.js'

export type { BindOptions, RemoteInfo, SocketType } from 'node:dgram'
export type { SocketInfo } from '../place.js'
export type { DatagramOptions, OnDatagram } from './types.js'

/**
 * A UDP socket: node:dgram's Socket on our stack. With or without `new`.
 * @class
 */
export const Socket = callable(SocketClass)
/**
 * A UDP socket: node:dgram's Socket on our stack.
 * @hidden
 */
export type Socket = SocketClass

/** A UDP socket that is not bound yet; the listener gets each message. A wrong type throws. */
export function createSocket(type: SocketType | DatagramOptions, listener?: OnDatagram): Socket {
    return new SocketClass(type, listener)
}

/** @hidden */
export default { createSocket, Socket }
