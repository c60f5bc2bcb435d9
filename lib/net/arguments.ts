// SPDX-License-Identifier: Apache-2.0
// The forms in which connect() and listen() take their arguments, and the checks on them.

import type { BlockList, LookupFunction, TcpNetConnectOpts } from 'node:net'
import { invalidType, invalidValue, outOfRange } from '../errors.js'

export type Callback = (...args: unknown[]) => void

/** (options), (port, host), (path), each with an optional callback at its end. */
export function formsOf(args: unknown[]): [Record<string, unknown>, Callback | undefined] {
    const [first, second] = args
    let options: Record<string, unknown> = {}
    if (args.length === 0) return [options, undefined]
    if (typeof first === 'object' && first !== null) {
        options = first as Record<string, unknown>
    } else if (isPath(first)) {
        options.path = first
    } else {
        options.port = first
        if (args.length > 1 && typeof second === 'string') options.host = second
    }
    const last = args[args.length - 1]
    return [options, typeof last === 'function' ? (last as Callback) : undefined]
}

/** A string that is no number is the path of a local socket, as for Node's own. */
export function isPath(value: unknown): value is string {
    return typeof value === 'string' && !(Number(value) >= 0)
}

export function checkDescriptor(fd: unknown): void {
    checkInteger('fd', fd, 0, 2 ** 31 - 1)
}

export function checkInteger(name: string, given: unknown, least: number, most: number): void {
    const value = checkNumber(name, given)
    if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
    if (value < least || value > most) throw outOfRange(name, `>= ${least} && <= ${most}`, value)
}

export function checkFunction(name: string, value: unknown): void {
    if (typeof value !== 'function') throw invalidType(name, 'of type function', value)
}

export function checkBoolean(name: string, value: unknown): void {
    if (typeof value !== 'boolean') throw invalidType(name, 'of type boolean', value)
}

export function checkNumber(name: string, value: unknown): number {
    if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
    return value
}

/** A duration for a timer, in milliseconds. */
export function checkDuration(name: string, value: unknown): number {
    const ms = checkNumber(name, value)
    if (ms < 0 || !Number.isFinite(ms)) throw outOfRange(name, 'a non-negative finite number', ms)
    if (ms > 2 ** 31 - 1) {
        process.emitWarning(
            `${ms} does not fit into a 32-bit signed integer.\nTimer duration was truncated to ${2 ** 31 - 1}.`,
            'TimeoutOverflowWarning',
        )
        return 2 ** 31 - 1
    }
    return ms
}

export function checkSignal(signal: unknown): asserts signal is AbortSignal | undefined {
    if (signal === undefined) return
    if (signal === null || typeof signal !== 'object' || !('aborted' in signal))
        throw invalidType('signal', 'an instance of AbortSignal', signal)
}

/** Of a stream's own options those that a socket takes over; the others are not its user's to choose. */
export function streamOptions(given: Record<string, unknown>): Record<string, unknown> {
    const options: Record<string, unknown> = { allowHalfOpen: Boolean(given.allowHalfOpen) }
    for (const name of STREAM_OPTIONS) if (given[name] !== undefined) options[name] = given[name]
    for (const name of ['readable', 'writable'])
        if (given.fd !== undefined && given[name] === false) options[name] = false
    return options
}

const STREAM_OPTIONS = [
    'highWaterMark',
    'readableHighWaterMark',
    'writableHighWaterMark',
    'encoding',
    'defaultEncoding',
    'captureRejections',
]

export function checkStreamMode(options: Record<string, unknown>): void {
    for (const name of ['objectMode', 'readableObjectMode', 'writableObjectMode'])
        if (options[name]) throw invalidValue(`options.${name}`, options[name], 'is not supported')
}

export interface OnReadOptions {
    buffer: Uint8Array | (() => Uint8Array)
    callback(bytesWritten: number, buffer: Uint8Array): boolean | undefined
}

/** What connect() understands, TCP only. */
export type ConnectOptions = Partial<TcpNetConnectOpts> & {
    /** A local socket of the kernel's, in place of host and port. */
    path?: string
    /** Names to addresses; dns.lookup by default. */
    lookup?: LookupFunction
    /** Whereto no connection is made. */
    blockList?: BlockList
}
