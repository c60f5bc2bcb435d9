// SPDX-License-Identifier: Apache-2.0
// What a datagram socket takes, and what it tells.

import type { createSocket, SocketOptions } from 'node:dgram'
import type { BlockList } from 'node:net'

/** node:dgram's options of a socket. */
export interface DatagramOptions extends SocketOptions {
    /** SO_REUSEPORT: several sockets of the process on one port. */
    reusePort?: boolean
    /** Whose datagrams are dropped. A ring gives all. */
    receiveBlockList?: BlockList
    /** Whereto nothing is sent: ERR_IP_BLOCKED. */
    sendBlockList?: BlockList
}

/** What 'message' listeners get, as Node's own: newer types of Node say that its memory is not shared. */
export type OnDatagram = NonNullable<Parameters<typeof createSocket>[1]>

/** Of a socket, with what their listeners are given. */
export interface DatagramEvents {
    close: []
    connect: []
    error: [error: Error]
    listening: []
    message: Parameters<OnDatagram>
}
