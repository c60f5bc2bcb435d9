// SPDX-License-Identifier: Apache-2.0
// The forms of send(), and the checks on what callers give.

import { coded, invalidType, outOfRange } from '../errors.js'

export type Sent = (error: Error | null, bytes: number) => void
export type Data = string | NodeJS.ArrayBufferView

const BYTES = 'of type string or an instance of Buffer, TypedArray, or DataView'

export interface SendRequest {
    bytes: Uint8Array
    /** Without one the socket is connected. */
    port: unknown
    address: unknown
    done: Sent | undefined
}

/** undefined: neither text nor bytes. */
function bytesOf(data: unknown): Uint8Array | undefined {
    if (typeof data === 'string') return Buffer.from(data)
    if (data instanceof Uint8Array) return data
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return undefined
}

function whole(data: unknown): Uint8Array {
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
 * follows it, and a connected socket takes no destination.
 */
export function sendRequest(data: unknown, rest: unknown[], connected: boolean): SendRequest {
    let [offset, length, port, address, done] = rest
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
    return { bytes, port, address, done: typeof done === 'function' ? (done as Sent) : undefined }
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
