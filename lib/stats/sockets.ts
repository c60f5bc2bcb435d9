// SPDX-License-Identifier: Apache-2.0
// The socket table of a segment. Its rows change while they are read: each begins with a sequence
// counter that is odd while the row is written and different afterwards.

import { readSync } from 'node:fs'
import type { Field, Layout } from './layout.js'

/** One socket. Names and units are those of docs/stats.md; other versions may have more or fewer. */
export interface SocketStats {
    /** Counts up; never used twice. */
    id: number
    /** ipv4 or ipv6. */
    family: string
    /** tcp or udp. */
    type: string
    /** TCP's, in words. */
    state: string
    /** Which one has it; -1: none yet. */
    stack: number
    /** Its descriptor. */
    fd: number
    /** Ours. */
    local_address: string
    /** Ours. */
    local_port: number
    /** The peer's; empty without one. */
    peer_address: string
    /** The peer's. */
    peer_port: number
    /** Received and not read, bytes. */
    recv_queue: number
    /** Written and not acknowledged, bytes. */
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
    const known4 = new Map<number, string>()
    const known6 = new Map<string, string>()
    const remember = <K>(known: Map<K, string>, key: K, text: string) => {
        known.set(key, text)
        return text
    }
    return (rows, at) => {
        const start = at + offset
        if (familyOf(rows, at) === AF_INET) {
            const key = rows.readUInt32LE(start)
            return known4.get(key) ?? remember(known4, key, ipv4(rows.subarray(start, start + 4)))
        }
        const key = rows.toString('latin1', start, start + 16)
        return known6.get(key) ?? remember(known6, key, ipv6(rows.subarray(start, start + 16)))
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
export function isWhole(first: Buffer, second: Buffer, at: number): boolean {
    const sequence = first.readUInt32LE(at)
    return sequence % 2 === 0 && sequence === second.readUInt32LE(at)
}

/** Reads a row that lies at `at`, as an object of its own. */
export function socketReader(layout: Layout): (rows: Buffer, at: number) => SocketStats {
    const readers = readersOf(layout)
    return (rows, at) => {
        const socket: Record<string, number | string> = {}
        for (const [name, read] of readers) socket[name] = read(rows, at)
        return socket as SocketStats
    }
}

/** One member of a row; reads it where the table stands. */
export interface SocketMember {
    name: string
    read: () => number | string
}

/**
 * The rows in use, as they lay when they were copied. Nothing is made for each: one object stands for
 * the row that was asked for last, and reads a member when it is looked at.
 */
export interface SocketTable {
    readonly size: number
    readonly members: SocketMember[]
    /** Row `index`, until the next call. */
    at(index: number): SocketStats
}

interface Piece {
    rows: Buffer
    /** Where the rows in use begin in it. */
    used: Uint32Array
    /** The number of its first row in use. */
    first: number
}

/** A row that its writer left half written (killed) comes as it lies. */
function* piecesOf(fd: number, layout: Layout, used: number): Generator<Piece> {
    const { socketBytes, socketOffset } = layout
    if (socketBytes < 8) return
    const rowsInPiece = Math.max(1, Math.floor(PIECE_BYTES / socketBytes))
    const second = Buffer.alloc(Math.min(used, rowsInPiece) * socketBytes)
    const id = layout.socketFields.find((field) => field.name === 'id')
    const idOf = id && numberReader(id)
    let count = 0

    for (let row = 0; row < used; row += rowsInPiece) {
        const bytes = Math.min(rowsInPiece, used - row) * socketBytes
        const position = socketOffset + row * socketBytes
        const first = Buffer.alloc(bytes)
        if (readAt(fd, first, position) < bytes) break
        readAt(fd, second.subarray(0, bytes), position)
        const found: number[] = []
        for (let at = 0; at < bytes; at += socketBytes) {
            for (let tries = 0; !isWhole(first, second, at) && tries < TRIES; tries++) {
                readAt(fd, first.subarray(at, at + socketBytes), position + at)
                readAt(fd, second.subarray(at, at + socketBytes), position + at)
            }
            if (idOf?.(first, at) !== 0) found.push(at)
        }
        if (found.length === 0) continue
        yield { rows: first, used: Uint32Array.from(found), first: count }
        count += found.length
    }
}

/** `only`: the names of the members that are wanted. */
export function socketTable(fd: number, layout: Layout, used: number, only?: Set<string>): SocketTable {
    const pieces = [...piecesOf(fd, layout, used)]
    const last = pieces.at(-1)
    const size = last ? last.first + last.used.length : 0
    let piece: Piece | undefined = pieces[0]
    let rows = piece?.rows ?? Buffer.alloc(0)
    let at = 0

    // (A damaged directory may have a name twice.)
    const readers = new Map(readersOf(layout).filter(([name]) => !only || only.has(name)))
    const members = Array.from(
        readers,
        ([name, read]): SocketMember => ({ name, read: () => read(rows, at) }),
    )
    const row = Object.create(null) as SocketStats
    for (const { name, read } of members) Object.defineProperty(row, name, { get: read, enumerable: true })

    return {
        size,
        members,
        at(index: number): SocketStats {
            if (!piece || index < piece.first || index >= piece.first + piece.used.length) {
                piece = pieces.find(({ first, used }) => index >= first && index < first + used.length)
                if (!piece) throw new RangeError(`there is no row ${index}`)
                rows = piece.rows
            }
            at = piece.used[index - piece.first]!
            return row
        },
    }
}

/** The rows in use, an object for each. */
export function readSockets(fd: number, layout: Layout, used: number, only?: Set<string>): SocketStats[] {
    const table = socketTable(fd, layout, used, only)
    return Array.from({ length: table.size }, (_, index) => {
        table.at(index)
        const socket: Record<string, number | string> = {}
        for (const { name, read } of table.members) socket[name] = read()
        return socket as SocketStats
    })
}
