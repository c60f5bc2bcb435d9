// SPDX-License-Identifier: Apache-2.0
// pronghorn/net: node:net on our stack. What differs is listed in docs/differences.md.

import { channel } from 'node:diagnostics_channel'
import net, { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net'
import { callable } from '../callable.js'
import { type ConnectOptions, formsOf } from './arguments.js'
import { asNetSocket } from './as-net-socket.js'
import { Server as ServerClass, type ServerOptions } from './server.js'
import { Socket as SocketClass } from './socket.js'
import type { SocketOptions } from './socket-types.js'

export type { AddressInfo, ListenOptions, LookupFunction, OnReadOpts } from 'node:net'
export type { SocketInfo } from '../place.js'
export type { ConnectOptions } from './arguments.js'
export type { ConnectionInfo } from './info.js'
export type { DropArgument, ServerOptions } from './server.js'
export type { SocketOptions } from './socket-types.js'
export { asNetSocket, BlockList, isIP, isIPv4, isIPv6, SocketAddress }

/**
 * A TCP connection, or a local socket: node:net's Socket on our stack. With or without `new`.
 * @class
 */
export const Socket = callable(SocketClass)
/**
 * A TCP connection, or a local socket: node:net's Socket on our stack.
 * @hidden
 */
export type Socket = SocketClass
export { Socket as Stream }
/**
 * A listener: node:net's Server on our stack. With or without `new`.
 * @class
 */
export const Server = callable(ServerClass)
/**
 * A listener: node:net's Server on our stack.
 * @hidden
 */
export type Server = ServerClass

/** Node's own process-wide default: whether connect() tries a name's addresses of both families. */
export const getDefaultAutoSelectFamily = net.getDefaultAutoSelectFamily
/** Sets Node's own process-wide default. */
export const setDefaultAutoSelectFamily = net.setDefaultAutoSelectFamily
/** How long one address is tried before the next, milliseconds: Node's own process-wide default. */
export const getDefaultAutoSelectFamilyAttemptTimeout = net.getDefaultAutoSelectFamilyAttemptTimeout
/** Sets Node's own process-wide default, milliseconds. */
export const setDefaultAutoSelectFamilyAttemptTimeout = net.setDefaultAutoSelectFamilyAttemptTimeout

/** The channel that node:net tells new client sockets on. */
const clientSockets = channel('net.client.socket')

/** A server that does not listen yet; the listener gets each connection. */
export function createServer(connectionListener?: (socket: Socket) => void): Server
/** A server that does not listen yet, with options for the connections that it accepts. */
export function createServer(options?: ServerOptions, connectionListener?: (socket: Socket) => void): Server
export function createServer(...args: unknown[]): Server {
    return new ServerClass(...(args as [ServerOptions]))
}

/** A connecting socket. What fails comes as 'error'; wrong arguments throw. `timeout` in milliseconds. */
export function connect(
    options: ConnectOptions & SocketOptions & { timeout?: number },
    listener?: () => void,
): Socket
/** A connecting socket, to a name or an address; `localhost` by default. */
export function connect(port: number, host?: string, listener?: () => void): Socket
/** A connecting socket, to `localhost`. */
export function connect(port: number, listener?: () => void): Socket
/** A connecting socket, to a local socket of the kernel's. */
export function connect(path: string, listener?: () => void): Socket
export function connect(...args: unknown[]): Socket {
    const [options] = formsOf(args)
    const socket = new SocketClass(options as SocketOptions)
    if (clientSockets.hasSubscribers) clientSockets.publish({ socket })
    if (typeof options.timeout === 'number' && options.timeout) socket.setTimeout(options.timeout)
    return (socket.connect as (...args: unknown[]) => Socket).apply(socket, args)
}

/** The same as connect(). */
export const createConnection = connect

/** @hidden */
export default {
    asNetSocket,
    BlockList,
    connect,
    createConnection,
    createServer,
    getDefaultAutoSelectFamily,
    getDefaultAutoSelectFamilyAttemptTimeout,
    isIP,
    isIPv4,
    isIPv6,
    Server,
    setDefaultAutoSelectFamily,
    setDefaultAutoSelectFamilyAttemptTimeout,
    Socket,
    SocketAddress,
    Stream: Socket,
}
