// SPDX-License-Identifier: Apache-2.0
// The forms of send(), and the checks on what callers give.

import { isIP } from 'node:net'
import { coded, invalidType, outOfRange } from '../errors.js'

export type Sent = (error: Error | null, bytes: number) => void
export type Data = string | NodeJS.ArrayBufferView

const BYTES = 'of type string or an instance of Buffer, TypedArray, or DataView'

/** What sendRequest() found beside the bytes: one for all, an object for each datagram would be garbage. */
export const request: { port: unknown; address: unknown; done: Sent | undefined } = {
    port: undefined,
    address: undefined,
    done: undefined,
}

let lastAddress = ''

/** Whether it is an address, no name. Datagrams go in runs to one host: that is looked at once. */
export function isAddress(host: string): boolean {
    if (host === lastAddress) return true
    if (isIP(host) === 0) return false
    lastAddress = host
    return true
}

/** undefined: neither text nor bytes. */
function bytesOf(data: unknown): Uint8Array | undefined {
    if (data instanceof Uint8Array) return data
    if (typeof data === 'string') return Buffer.from(data)
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return undefined
}

function whole(data: unknown): Uint8Array {
    if (data instanceof Uint8Array) return data
    if (!Array.isArray(data)) {
        const bytes = bytesOf(data)
        if (!bytes) throw invalidType('buffer', BYTES, data)
        return bytes
    }
    const list = data.map(bytesOf)
    if (list.includes(undefined)) throw invalidType('buffer list arguments', BYTES, data)
    return list.length === 1 ? (list[0] as Uint8Array) : Buffer.concat(list as Uint8Array[])
}

function sliced(data: unknown, offset: unknown, length: unknown): Uint8Array {
    const bytes = bytesOf(data)
    if (!bytes) throw invalidType('buffer', BYTES, data)
    const from = Number(offset) >>> 0
    const count = Number(length) >>> 0
    if (from > bytes.length) throw outside('offset')
    if (from + count > bytes.length) throw outside('length')
    return bytes.subarray(from, from + count)
}

function outside(name: string): Error {
    return coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', `"${name}" is outside of buffer bounds`)
}

/**
 * send(data, [offset, length,] [port, address,] [callback]): whether there is a slice is told by what
 * follows it, and a connected socket takes no destination. The bytes; all else is in `request`.
 */
export function sendRequest(
    data: unknown,
    offset: unknown,
    length: unknown,
    port: unknown,
    address: unknown,
    done: unknown,
    connected: boolean,
): Uint8Array {
    let bytes: Uint8Array
    if (connected) {
        if (typeof length === 'number') {
            bytes = sliced(data, offset, length)
            if (typeof port === 'function') {
                done = port
                port = undefined
            }
        } else {
            bytes = whole(data)
            done = offset
        }
        if (port || address) throw coded(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
    } else if (address || (port && typeof port !== 'function')) {
        bytes = sliced(data, offset, length)
    } else {
        bytes = whole(data)
        done = port
        port = offset
        address = length
    }
    if (typeof address === 'function') {
        done = address
        address = undefined
    } else if (address !== undefined && address !== null) {
        checkString('address', address)
    }
    request.port = port
    request.address = address
    request.done = typeof done === 'function' ? (done as Sent) : undefined
    return bytes
}

export function checkString(name: string, value: unknown): void {
    if (typeof value !== 'string') throw invalidType(name, 'of type string', value)
}

export function checkNumber(name: string, value: unknown): void {
    if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
}

/** Of the socket's buffers, bytes; 0 or nothing leaves them as they are. */
export function checkBufferSize(name: string, value: unknown): void {
    if (!value) return
    checkNumber(name, value)
    if (!Number.isInteger(value) || Number(value) < 0 || Number(value) > 2 ** 32 - 1)
        throw outOfRange(name, Number.isInteger(value) ? '>= 0 && <= 4294967295' : 'an integer', value)
}
