// SPDX-License-Identifier: Apache-2.0
// listen(): what was asked for, and the descriptor for it.

import { chmodSync, statSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { inspect } from 'node:util'
import {
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
} from '../constants.js'

import {
    coded,
    EACCES,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EINVAL,
    ENOENT,
    invalidValue,
    listenException,
    validPort,
} from '../errors.js'
import { native, PORT_OF_PATH } from '../native.js'
import { isPath } from './arguments.js'

const BACKLOG = 511

export interface ListenRequest {
    /** undefined: every address, of both families if the stack has both. */
    host: string | undefined
    port: number
    /** Of a local socket; it takes the place of host and port. */
    path: string | undefined
    /** Of the path: 0o666 and the like, for those who may connect. */
    mode: number
    backlog: number
    ipv6Only: boolean
    reusePort: boolean
    /** An open descriptor to listen on. */
    fd: number | undefined
    signal: AbortSignal | undefined
}

export function listenRequest(options: Record<string, unknown>, args: unknown[]): ListenRequest {
    const second = args[1]
    const third = args[2]
    const positional = Number(typeof second === 'number' ? second : typeof third === 'number' ? third : 0)
    const request: ListenRequest = {
        host: undefined,
        port: 0,
        path: undefined,
        mode: (options.readableAll ? 0o444 : 0) | (options.writableAll ? 0o222 : 0),
        backlog: Number(options.backlog ?? 0) || positional || BACKLOG,
        ipv6Only: options.ipv6Only === true,
        reusePort: options.reusePort === true,
        fd: undefined,
        signal: options.signal as AbortSignal | undefined,
    }
    if (typeof options.fd === 'number' && options.fd >= 0) return { ...request, fd: options.fd }
    const first = args[0]
    const none = args.length === 0 || typeof first === 'function' || first === null || first === undefined
    if (none || ('port' in options && (options.port === undefined || options.port === null)))
        return { ...request, host: typeof options.host === 'string' ? options.host : undefined }
    if (typeof options.port === 'number' || typeof options.port === 'string') {
        const port = validPort(options.port, 'options.port')
        return { ...request, port, host: options.host ? String(options.host) : undefined }
    }
    if (isPath(options.path) && options.path !== '') return { ...request, path: options.path }
    if ('port' in options || 'path' in options) throw invalidValue('options', options)
    throw coded(
        TypeError,
        'ERR_INVALID_ARG_VALUE',
        `The argument 'options' must have the property "port" or "path". Received ${inspect(first)}`,
    )
}

interface Opened {
    fd: number
    host?: string
    error?: Error
}

function bound(request: ListenRequest, host: string): number {
    const six = isIPv6(host)
    const fd = native.socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if (fd < 0) return fd
    native.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    if (six) native.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, +request.ipv6Only)
    let result = request.reusePort ? native.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0
    if (result === 0) result = native.bind(fd, host, request.port)
    if (result === 0) return fd
    native.close(fd)
    return result
}

function boundToPath(path: string, mode: number): number {
    const fd = native.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if (fd < 0) return fd
    let result = native.bind(fd, path, PORT_OF_PATH)
    if (result === 0) {
        try {
            if (mode) chmodSync(path, statSync(path).mode | mode)
            return fd
        } catch (error) {
            result = (error as NodeJS.ErrnoException).errno as number
        }
    }
    native.close(fd)
    // As libuv: a folder that does not exist is no permission.
    return result === -ENOENT ? -EACCES : result
}

/** A listening descriptor for the request, or the error that 'error' listeners get. */
export function openListener(request: ListenRequest): Opened {
    if (request.path !== undefined) {
        const fd = boundToPath(request.path, request.mode)
        const result = fd < 0 ? fd : native.listen(fd, request.backlog)
        if (result === 0) return { fd }
        if (fd >= 0) native.close(fd)
        return { fd: -1, error: listenException(result, 'listen', request.path, -1) }
    }
    let host = request.host ?? '::'
    let fd = request.fd ?? bound(request, host)
    if (request.host === undefined && [-EAFNOSUPPORT, -EINVAL, -EADDRNOTAVAIL].includes(fd)) {
        host = '0.0.0.0'
        fd = bound(request, host)
    }
    let result = fd
    if (fd >= 0) {
        result = native.listen(fd, request.backlog)
        if (result === 0) return { fd, host }
        native.close(fd)
    }
    return { fd: -1, error: listenException(result, 'listen', host, request.port) }
}
