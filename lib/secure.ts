// SPDX-License-Identifier: Apache-2.0
// Connections that speak TLS. Not in tls.ts: what others import becomes a bundle of its own, and the names that
// tls.ts takes over from node:tls would be lost in it.

import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls'
import { connect as connectOurs } from './net/index.js'
import { lendNames } from './net/names.js'

/** (options), (port, host, options), (port, options), each with a callback at its end. */
function optionsOf(args: unknown[]): ConnectionOptions {
    const options: ConnectionOptions = {}
    for (const [i, value] of args.entries()) {
        if (typeof value === 'object' && value !== null) Object.assign(options, value)
        else if (i === 0) options.port = Number(value)
        else if (typeof value === 'string') options.host = value
    }
    return options
}

/**
 * Connects and secures, as node:tls. The connection lies on our stack unless `socket` brings one. What fails
 * comes as 'error'. `timeout` in milliseconds.
 */
export function connect(options: ConnectionOptions, callback?: () => void): TLSSocket
/** To a name or an address; `localhost` by default. */
export function connect(
    port: number,
    host?: string,
    options?: ConnectionOptions,
    callback?: () => void,
): TLSSocket
/** To `localhost`, or to the host of the options. */
export function connect(port: number, options?: ConnectionOptions, callback?: () => void): TLSSocket
export function connect(...args: unknown[]): TLSSocket {
    const options = optionsOf(args)
    const last = args[args.length - 1]
    const socket =
        options.socket ?? (connectOurs({ ...options, allowHalfOpen: true } as object) as unknown as TLSSocket)
    const secure = tls.connect(
        { ...options, servername: options.servername ?? nameOf(options.host), socket },
        typeof last === 'function' ? (last as () => void) : undefined,
    )
    lendNames(secure, socket as TLSSocket)
    secure.allowHalfOpen = (options as { allowHalfOpen?: boolean }).allowHalfOpen === true
    if (options.timeout) secure.setTimeout(options.timeout)
    return secure
}

/** RFC 6066 3: addresses are no server names. */
function nameOf(host: string | undefined): string | undefined {
    return host === undefined || /^[\d.]+$|:/.test(host) ? undefined : host
}
