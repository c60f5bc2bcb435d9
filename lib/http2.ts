// SPDX-License-Identifier: Apache-2.0
// pronghorn/http2: node:http2 on our stack. Sessions and streams are Node's; the sockets are ours.

import http2, { type ClientHttp2Session, type Http2SecureServer, type Http2Server } from 'node:http2'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectOurs } from './net/index.js'
import { overOurs } from './net/over.js'
import { connect as connectSecurely } from './secure.js'

export * from 'node:http2'

// Node does not export its classes of servers.
// biome-ignore lint/suspicious/noExplicitAny: their constructors' arguments are those of the functions below
type ServerClass<T> = new (...args: any[]) => T
const classOf = <T extends object>(server: T) => server.constructor as ServerClass<T>
const Server = overOurs(classOf<Http2Server>(http2.createServer()))
const SecureServer = overOurs(classOf<Http2SecureServer>(http2.createSecureServer({})), true)

/**
 * A server without TLS, as Node's own.
 *
 * @function
 */
export const createServer = ((...args: unknown[]) =>
    typeof args[0] === 'function'
        ? new Server({}, ...args)
        : new Server(...args)) as typeof http2.createServer

/**
 * A server over TLS, as Node's own; with allowHTTP1 it serves older clients too.
 *
 * @function
 */
export const createSecureServer = ((...args: unknown[]) =>
    typeof args[0] === 'function'
        ? new SecureServer({}, ...args)
        : new SecureServer(...args)) as typeof http2.createSecureServer

type Authority = URL | { protocol?: string; hostname?: string; host?: string; port?: string | number }

/** The connection that a session to `authority` gets, unless the program opens it itself. */
function open(authority: Authority, options: http2.SecureClientSessionOptions): Duplex {
    const secure = (authority.protocol || options.protocol || 'https:') !== 'http:'
    const host = (authority.hostname || authority.host || 'localhost').replace(/^\[(.*)\]$/, '$1')
    const port = Number(authority.port) || (secure ? 443 : 80)
    if (!secure) return connectOurs({ ...(options as object), host, port })
    const servername = isIP(host) ? undefined : host
    return connectSecurely({ ALPNProtocols: ['h2'], servername, ...options, host, port })
}

/**
 * A session with a server, as Node's own.
 *
 * @function
 */
export const connect = ((authority: string | Authority, ...rest: unknown[]): ClientHttp2Session => {
    const options = typeof rest[0] === 'object' && rest[0] !== null ? rest.shift() : {}
    const listener = rest.find((value) => typeof value === 'function')
    return http2.connect(
        authority as string,
        { createConnection: open, ...(options as object) } as http2.ClientSessionOptions,
        listener as () => void,
    )
}) as typeof http2.connect

/** @hidden */
export default { ...http2, connect, createSecureServer, createServer }
