// SPDX-License-Identifier: Apache-2.0
// pronghorn/undici: undici, and with it the global fetch, on our stack.
//
//     setGlobalDispatcher(new Agent({ connect: connector() }))

import type { TLSSocket } from 'node:tls'
import { coded } from './errors.js'
import { type ConnectOptions, connect, type Socket } from './net/index.js'
import { connect as connectSecurely } from './secure.js'

const TIMEOUT_MS = 10_000
/** As undici asks of Node's own sockets. */
const KEEP_ALIVE_MS = 60_000
const HIGH_WATER_MARK = 64 * 1024

/** What each connection gets beside its destination; those of TLS hold for https. */
export type ConnectorOptions = Omit<
    import('node:tls').ConnectionOptions,
    'host' | 'port' | 'path' | 'socket'
> & {
    /** How long a connection, its TLS included, may take to come about, milliseconds; 10,000, 0: for ever. */
    timeout?: number | null
}

/** Where undici wants to go. */
export interface Destination {
    /** A name, or an address; of IPv6 in brackets. */
    hostname: string
    /** With the port, as in the URL. */
    host?: string
    /** 'http:' or 'https:'. */
    protocol: string
    /** Empty: that of the protocol. */
    port: string
    /** For TLS. */
    servername?: string
    /** Whence, one of our addresses. */
    localAddress?: string | null
}

/** Gets the connected socket, or what failed; once. */
export type Connected = (
    ...outcome: [error: null, socket: Socket | TLSSocket] | [error: Error, socket: null]
) => void

/** The `connect` of undici's Agent, Pool and Client: opens connections on our stack. */
export function connector(options: ConnectorOptions = {}): (to: Destination, done: Connected) => void {
    const { timeout, ...given } = options
    const sessions = new Map<string, Buffer>()
    return (to, done) => {
        const secure = to.protocol === 'https:'
        const name = to.servername ?? given.servername
        const key = name ?? to.hostname
        const place = {
            highWaterMark: HIGH_WATER_MARK,
            noDelay: true,
            keepAlive: true,
            keepAliveInitialDelay: KEEP_ALIVE_MS,
            ...given,
            host: to.hostname.replace(/^\[(.*)\]$/, '$1'),
            port: Number(to.port) || (secure ? 443 : 80),
            ...(to.localAddress ? { localAddress: to.localAddress } : {}),
        }
        const socket: Socket | TLSSocket = secure
            ? connectSecurely({
                  ALPNProtocols: ['http/1.1'],
                  session: sessions.get(key),
                  ...place,
                  servername: name,
              })
            : connect(place as ConnectOptions)
        if (secure) (socket as TLSSocket).on('session', (session) => sessions.set(key, session))
        wait(socket, secure ? 'secureConnect' : 'connect', timeout ?? TIMEOUT_MS, done)
    }
}

function wait(socket: Socket | TLSSocket, event: string, timeoutMs: number, done: Connected): void {
    const late = () =>
        socket.destroy(coded(Error, 'UND_ERR_CONNECT_TIMEOUT', `Connect Timeout Error (${timeoutMs} ms)`))
    const timer = timeoutMs > 0 ? setTimeout(late, timeoutMs) : undefined
    let waiting = true
    const finish = (error: Error | null) => {
        if (!waiting) return
        waiting = false
        clearTimeout(timer)
        if (error) done(error, null)
        else done(null, socket)
    }
    const either: NodeJS.EventEmitter = socket
    either.once(event, () => finish(null))
    // The listener stays: errors that come later are undici's, which has one of its own by then.
    either.on('error', finish)
    either.once('close', () => finish(coded(Error, 'UND_ERR_SOCKET', 'closed before it was connected')))
}
