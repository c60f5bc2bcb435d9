// SPDX-License-Identifier: Apache-2.0
// The socket table of a segment. Its rows change while they are read: each begins with a sequence
// counter that is odd while the row is written and different afterwards.

import { readSync } from 'node:fs'
import type { Field, Layout } from './layout.js'

/** One socket. Names and units are those of docs/stats.md; other versions may have more or fewer. */
export interface SocketStats {
    id: number
    family: string
    type: string
    state: string
    stack: number
    fd: number
    local_address: string
    local_port: number
    peer_address: string
    peer_port: number
    recv_queue: number
    send_queue: number
    [name: string]: number | string
}

const AF_INET = 2
/** A row that is written all the time is tried so often, then taken as it is. */
const TRIES = 50
const PIECE_BYTES = 4 << 20

export function ipv4(bytes: Buffer): string {
    return bytes.subarray(0, 4).join('.')
}

/** RFC 5952: lower case, the longest run of at least two zero groups left out. */
export function ipv6(bytes: Buffer): string {
    if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff)
        return `::ffff:${bytes.subarray(12).join('.')}`
    const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
    let best = { at: 0, length: 1 }
    for (let i = 0; i < 8; i++) {
        let end = i
        while (end < 8 && groups[end] === '0') end++
        if (end - i > best.length) best = { at: i, length: end - i }
    }
    if (best.length < 2) return groups.join(':')
    return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`
}

/** Reads one field of the row at `at`, as a number or as text. */
type Reader = (rows: Buffer, at: number) => number | string

export function numberReader({ offset, bytes, signed }: Field): (rows: Buffer, at: number) => number {
    switch (bytes) {
        case 1:
            return (rows, at) => rows.readUInt8(at + offset)
        case 2:
            return (rows, at) => rows.readUInt16LE(at + offset)
        case 4:
            return signed
                ? (rows, at) => rows.readInt32LE(at + offset)
                : (rows, at) => rows.readUInt32LE(at + offset)
        default:
            // Exact up to 2^53, and several times faster than a BigInt for each number.
            return (rows, at) => rows.readUInt32LE(at + offset) + rows.readUInt32LE(at + offset + 4) * 2 ** 32
    }
}

/** Addresses repeat in a socket table (the own ones in every row), and their text is the costly part. */
function addressReader({ offset }: Field, familyOf: (rows: Buffer, at: number) => number): Reader {
    const known4 = new Map<string, string>()
    const known6 = new Map<string, string>()
    return (rows, at) => {
        const isIPv4 = familyOf(rows, at) === AF_INET
        const start = at + offset
        const key = rows.toString('latin1', start, start + (isIPv4 ? 4 : 16))
        const known = isIPv4 ? known4 : known6
        let text = known.get(key)
        if (text === undefined) {
            const bytes = rows.subarray(start, start + 16)
            text = isIPv4 ? ipv4(bytes) : ipv6(bytes)
            known.set(key, text)
        }
        return text
    }
}

function readersOf(layout: Layout): [string, Reader][] {
    const family = layout.socketFields.find((field) => field.name === 'family')
    const familyOf = family && family.bytes < 8 ? numberReader(family) : () => 0

    return layout.socketFields.map((field): [string, Reader] => {
        if (field.kind === 'address') return [field.name, addressReader(field, familyOf)]
        const number = numberReader(field)
        const words = layout.words.get(field.name)
        if (field.kind !== 'word' || !words) return [field.name, number]
        return [field.name, (rows, at) => words.get(number(rows, at)) ?? `${number(rows, at)}`]
    })
}

/** Fills `buffer` from `position` on; how much came may be less at the file's end. */
function readAt(fd: number, buffer: Buffer, position: number): number {
    let done = 0
    while (done < buffer.length) {
        const read = readSync(fd, buffer, done, buffer.length - done, position + done)
        if (read === 0) break
        done += read
    }
    return done
}

/** Whether nobody wrote the row between the two copies (a copy goes from low addresses to high). */
function isWhole(first: Buffer, second: Buffer, at: number): boolean {
    const sequence = first.readUInt32LE(at)
    return sequence % 2 === 0 && sequence === second.readUInt32LE(at)
}

/** The rows in use. A row that its writer left half written (killed) comes as it lies. */
export function readSockets(fd: number, layout: Layout, used: number, only?: Set<string>): SocketStats[] {
    const sockets: SocketStats[] = []
    const all = readersOf(layout)
    const readers = only ? all.filter(([name]) => only.has(name)) : all
    const { socketBytes, socketOffset } = layout
    if (socketBytes < 8) return sockets
    const rowsInPiece = Math.max(1, Math.floor(PIECE_BYTES / socketBytes))
    const first = Buffer.alloc(rowsInPiece * socketBytes)
    const second = Buffer.alloc(first.length)
    const idOf = all.find(([name]) => name === 'id')?.[1]

    for (let row = 0; row < used; row += rowsInPiece) {
        const rows = Math.min(rowsInPiece, used - row)
        const position = socketOffset + row * socketBytes
        if (readAt(fd, first.subarray(0, rows * socketBytes), position) < rows * socketBytes) break
        readAt(fd, second.subarray(0, rows * socketBytes), position)
        for (let at = 0; at < rows * socketBytes; at += socketBytes) {
            for (let tries = 0; !isWhole(first, second, at) && tries < TRIES; tries++) {
                readAt(fd, first.subarray(at, at + socketBytes), position + at)
                readAt(fd, second.subarray(at, at + socketBytes), position + at)
            }
            if (idOf && idOf(first, at) === 0) continue
            const socket: Record<string, number | string> = {}
            for (const [name, read] of readers) socket[name] = read(first, at)
            sockets.push(socket as SocketStats)
        }
    }
    return sockets
}
