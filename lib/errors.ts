// SPDX-License-Identifier: Apache-2.0
// Errors shaped as Node's own, so that programs which look at code, errno, syscall, address and port
// find what they expect, and messages read the same.

import { getSystemErrorMap, getSystemErrorName, inspect } from 'node:util'

export const EAGAIN = 11
export const ECONNABORTED = 103
export const ECONNREFUSED = 111
export const EINPROGRESS = 115
export const EACCES = 13
export const EBADF = 9
export const EINTR = 4
export const ENOENT = 2
export const EISCONN = 106
export const EAFNOSUPPORT = 97
export const EADDRNOTAVAIL = 99
export const EINVAL = 22
export const EADDRINUSE = 98
export const EALREADY = 114
export const ENOTCONN = 107
export const ECANCELED = 125
export const ETIMEDOUT = 110
export const EMFILE = 24
export const ENFILE = 23
export const EMSGSIZE = 90

export interface SystemError extends Error {
    code: string
    errno: number
    syscall: string
    address?: string
    port?: number
}

function nameOf(errno: number): string {
    return getSystemErrorName(errno)
}

/** "write EPIPE": errno is negative, as the addon answers it. */
export function errnoException(errno: number, syscall: string, original?: string): SystemError {
    const code = nameOf(errno)
    const error = new Error(original ? `${syscall} ${code} ${original}` : `${syscall} ${code}`)
    return Object.assign(error, { errno, code, syscall })
}

function place(address?: string | null, port?: number): string {
    if (port !== undefined && port > 0) return ` ${address}:${port}`
    return address ? ` ${address}` : ''
}

/** "connect ECONNREFUSED 192.0.2.1:80", as connecting sockets report it. */
export function connectException(
    errno: number,
    syscall: string,
    address?: string | null,
    port?: number,
    local?: string,
    more?: object,
): SystemError {
    const code = nameOf(errno)
    const error = new Error(`${syscall} ${code}${place(address, port)}${local ? ` - Local (${local})` : ''}`)
    const fields: Partial<SystemError> = { errno, code, syscall, ...more }
    if (address) fields.address = address
    if (port) fields.port = port
    return Object.assign(error, fields) as SystemError
}

/** "listen EADDRINUSE: address already in use 0.0.0.0:80", as servers report it. */
export function listenException(
    errno: number,
    syscall: string,
    address?: string | null,
    port?: number,
): SystemError {
    const [code, text] = getSystemErrorMap().get(errno) ?? [nameOf(errno), 'unknown error']
    const error = new Error(`${syscall} ${code}: ${text}${place(address, port)}`)
    const fields: Partial<SystemError> = { code, errno, syscall }
    if (address) fields.address = address
    if (port) fields.port = port
    return Object.assign(error, fields) as SystemError
}

type Constructor = new (message: string) => Error

/** One of Node's coded errors; the stack's first line shows the code, as Node's does. */
export function coded(Base: Constructor, code: string, message: string): NodeJS.ErrnoException {
    const error = new Base(message) as NodeJS.ErrnoException
    Object.defineProperty(error, 'code', {
        value: code,
        enumerable: true,
        writable: true,
        configurable: true,
    })
    if (error.stack) error.stack = error.stack.replace(error.name, `${error.name} [${code}]`)
    return error
}

function received(value: unknown): string {
    if (value === null || value === undefined) return ` Received ${value}`
    if (typeof value === 'function') return ` Received function ${value.name}`
    if (typeof value === 'object') {
        const name = value.constructor?.name
        return name ? ` Received an instance of ${name}` : ` Received ${inspect(value, { depth: -1 })}`
    }
    let text = inspect(value, { colors: false })
    if (text.length > 28) text = `${text.slice(0, 25)}...`
    return ` Received type ${typeof value} (${text})`
}

export function invalidType(name: string, expected: string, value: unknown): Error {
    const kind = name.includes('.') ? 'property' : 'argument'
    return coded(
        TypeError,
        'ERR_INVALID_ARG_TYPE',
        `The "${name}" ${kind} must be ${expected}.${received(value)}`,
    )
}

export function invalidValue(name: string, value: unknown, reason = 'is invalid'): Error {
    const kind = name.includes('.') ? 'property' : 'argument'
    return coded(
        TypeError,
        'ERR_INVALID_ARG_VALUE',
        `The ${kind} '${name}' ${reason}. Received ${inspect(value)}`,
    )
}

/** For options of our own, of which a misspelled one would be lost silently. */
export function checkNames(name: string, given: object, known: readonly string[]): void {
    const unknown = Object.keys(given).find((key) => !known.includes(key))
    if (unknown !== undefined)
        throw invalidValue(
            `${name}.${unknown}`,
            (given as Record<string, unknown>)[unknown],
            `is not known; there ${known.length > 1 ? 'are' : 'is'} ${known.join(', ')}`,
        )
}

export function outOfRange(name: string, range: string, value: unknown): Error {
    return coded(
        RangeError,
        'ERR_OUT_OF_RANGE',
        `The value of "${name}" is out of range. It must be ${range}. Received ${inspect(value)}`,
    )
}

export function missingArguments(...names: string[]): Error {
    const quoted = names.map((name) => `"${name}"`)
    return coded(TypeError, 'ERR_MISSING_ARGS', `The ${quoted.join(' or ')} argument must be specified`)
}

/** Checks what a caller gave as a port number and returns it. */
export function validPort(port: unknown, name = 'Port', zero = true): number {
    const text = typeof port === 'string' ? port.trim() : port
    if (
        (typeof port !== 'number' && typeof port !== 'string') ||
        text === '' ||
        +(text as string) !== +(text as string) >>> 0 ||
        +(text as string) > 65535 ||
        (!zero && +(text as string) === 0)
    ) {
        throw coded(
            RangeError,
            'ERR_SOCKET_BAD_PORT',
            `${name} should be ${zero ? '>=' : '>'} 0 and < 65536.${received(port)}.`,
        )
    }
    return +(text as string)
}
