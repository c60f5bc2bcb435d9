// SPDX-License-Identifier: Apache-2.0
// The fixed part of a statistics segment: header and directory, checked before anything is believed.
// The file may be of another version, of another program, cut, or made to do harm. The C side is
// native/stats/segment.h.

export const SEGMENT_VERSION = 1
const MAGIC = 'PRNGHORN'
const HEADER_BYTES = 192
/** With the facts, and with sets for chosen sockets, which the first segments of this version did not have. */
const FACTS_HEADER_BYTES = 208
const CHOSEN_HEADER_BYTES = 224
const ENTRY_BYTES = 192
/** Sizes beyond these are no real process's. */
const STACKS_MAX = 4096
const ENTRIES_MAX = 65536
const STACK_BYTES_MAX = 16 << 20
const SOCKET_BYTES_MAX = 64 << 10
const SOCKETS_MAX = 1 << 24
const CHOSEN_BYTES_MAX = 1 << 20
const CHOSEN_MAX = 4096

/** counter: only grows; gauge: holds now; word: a number that stands for a text. */
export type Kind = 'counter' | 'gauge' | 'number' | 'word' | 'address' | 'histogram'
const KINDS: Kind[] = ['counter', 'gauge', 'number', 'word', 'address', 'histogram']
const SCOPE_STACK = 0
const SCOPE_SOCKET = 1
const SCOPE_WORD = 2
const SCOPE_CHOSEN = 3

/** One named number of a stack's block or of a socket's row. */
export interface Field {
    /** As in docs/stats.md. */
    name: string
    /** Of its numbers; empty: a count. */
    unit: string
    /** How it is read and what it does. */
    kind: Kind
    /** What it means. */
    help: string
    /** Whether it may be below zero. */
    signed: boolean
    /** Of a histogram: log2 of the steps in each power of two. */
    detail: number
    /** Where it lies in its block, bytes. */
    offset: number
    /** Its size. */
    bytes: number
}

export interface Layout {
    pid: number
    name: string
    product: string
    startTicks: bigint
    startedAt: Date
    stacks: number
    stackOffset: number
    stackBytes: number
    socketOffset: number
    socketBytes: number
    socketsMax: number
    /** 0: the segment has none. */
    factsOffset: number
    /** 0: the segment has no sets for chosen sockets. */
    chosenOffset: number
    chosenBytes: number
    chosenMax: number
    stackFields: Field[]
    chosenFields: Field[]
    socketFields: Field[]
    /** What the numbers of a `word` field mean, by field name. */
    words: Map<string, Map<number, string>>
}

/** The file is no segment that can be read; the message says which file and why. */
export class SegmentError extends Error {
    /** Of every such error. */
    readonly code = 'ERR_PRONGHORN_SEGMENT'
    /** Of the file. */
    readonly path: string

    constructor(path: string, reason: string) {
        super(`${path}: ${reason}`)
        this.name = 'SegmentError'
        this.path = path
    }
}

/** Text of fixed room. Control characters would reach somebody's terminal. */
export function textAt(bytes: Buffer, offset: number, room: number): string {
    const end = bytes.indexOf(0, offset)
    const length = end < 0 || end > offset + room ? room : end - offset
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be removed
    return bytes.toString('utf8', offset, offset + length).replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}

function wordAt(bytes: Buffer, offset: number): number {
    return Number(bytes.readBigUInt64LE(offset))
}

function fieldFrom(bytes: Buffer, at: number): Field | undefined {
    const kind = KINDS[bytes.readUInt8(at + 49)]
    if (!kind) return undefined // of a later version
    return {
        name: textAt(bytes, at, 32),
        unit: textAt(bytes, at + 32, 16),
        kind,
        signed: bytes.readUInt8(at + 50) !== 0,
        detail: bytes.readUInt8(at + 51),
        offset: bytes.readUInt32LE(at + 52),
        bytes: bytes.readUInt32LE(at + 56),
        help: textAt(bytes, at + 60, 132),
    }
}

/** Whether a field can be read as its kind says, and lies inside what it belongs to. */
function isSound(field: Field, room: number): boolean {
    if (field.name === '' || field.offset + field.bytes > room) return false
    switch (field.kind) {
        case 'address':
            return field.bytes === 16
        case 'histogram':
            return field.detail <= 16 && field.bytes % 8 === 0 && field.bytes > 16
        default:
            return [1, 2, 4, 8].includes(field.bytes)
    }
}

/** `head` is the file's beginning, all before the stacks' blocks or as much as there is. */
export function layoutOf(path: string, head: Buffer, fileBytes: number): Layout {
    const fail = (reason: string): never => {
        throw new SegmentError(path, reason)
    }
    if (head.length < HEADER_BYTES || textAt(head, 0, 8) !== MAGIC)
        fail('is not a statistics segment of Pronghorn')
    const version = head.readUInt32LE(8)
    if (version !== SEGMENT_VERSION)
        fail(
            `is a segment of version ${version}, this reader knows ${SEGMENT_VERSION}; ` +
                'use the tools of the same version of Pronghorn as the process',
        )
    const damaged = (what: string) => fail(`is damaged (${what}); its process may have been of another build`)

    const layout: Layout = {
        pid: head.readUInt32LE(24),
        stacks: head.readUInt32LE(28),
        startTicks: head.readBigUInt64LE(32),
        startedAt: new Date(wordAt(head, 40)),
        name: textAt(head, 48, 32),
        product: textAt(head, 80, 64),
        stackBytes: head.readUInt32LE(156),
        stackOffset: wordAt(head, 160),
        socketOffset: wordAt(head, 168),
        socketBytes: head.readUInt32LE(176),
        socketsMax: head.readUInt32LE(180),
        factsOffset:
            Math.min(head.readUInt32LE(12), head.length) >= FACTS_HEADER_BYTES ? wordAt(head, 192) : 0,
        chosenOffset: 0,
        chosenBytes: 0,
        chosenMax: 0,
        stackFields: [],
        chosenFields: [],
        socketFields: [],
        words: new Map(),
    }
    const directoryOffset = head.readUInt32LE(144)
    const entries = head.readUInt32LE(148)
    const entryBytes = head.readUInt32LE(152)

    if (wordAt(head, 16) !== fileBytes) damaged('its size')
    if (head.readUInt32LE(12) < HEADER_BYTES || directoryOffset < head.readUInt32LE(12)) damaged('header')
    if (entries > ENTRIES_MAX || entryBytes < ENTRY_BYTES) damaged('directory')
    if (layout.factsOffset > layout.stackOffset) damaged('facts')
    if (directoryOffset + entries * entryBytes > Math.min(layout.stackOffset, head.length))
        damaged('directory')
    if (layout.stackBytes > STACK_BYTES_MAX || layout.stacks > STACKS_MAX) damaged('stacks')
    if (layout.socketBytes > SOCKET_BYTES_MAX || layout.socketsMax > SOCKETS_MAX) damaged('sockets')
    if (layout.stackOffset + layout.stacks * layout.stackBytes > layout.socketOffset) damaged('stacks')
    if (layout.socketOffset + layout.socketsMax * layout.socketBytes > fileBytes) damaged('sockets')
    if (Math.min(head.readUInt32LE(12), head.length) >= CHOSEN_HEADER_BYTES) {
        layout.chosenOffset = wordAt(head, 208)
        layout.chosenBytes = head.readUInt32LE(216)
        layout.chosenMax = head.readUInt32LE(220)
        if (layout.chosenBytes > CHOSEN_BYTES_MAX || layout.chosenMax > CHOSEN_MAX) damaged('chosen')
        if (layout.chosenBytes < layout.socketBytes) damaged('chosen')
        if (layout.chosenOffset + layout.chosenMax * layout.chosenBytes > fileBytes) damaged('chosen')
    }

    for (let i = 0; i < entries; i++) {
        const at = directoryOffset + i * entryBytes
        const scope = head.readUInt8(at + 48)
        const field = fieldFrom(head, at)
        if (!field) continue
        if (scope === SCOPE_STACK) {
            if (!isSound(field, layout.stackBytes)) damaged(`field ${field.name}`)
            layout.stackFields.push(field)
        } else if (scope === SCOPE_SOCKET) {
            if (!isSound(field, layout.socketBytes)) damaged(`field ${field.name}`)
            layout.socketFields.push(field)
        } else if (scope === SCOPE_CHOSEN) {
            if (layout.chosenOffset === 0) continue
            if (field.kind !== 'histogram' || !isSound(field, layout.chosenBytes))
                damaged(`field ${field.name}`)
            layout.chosenFields.push(field)
        } else if (scope === SCOPE_WORD) {
            const words = layout.words.get(field.unit) ?? new Map<number, string>()
            layout.words.set(field.unit, words.set(field.offset, field.name))
        }
    }
    return layout
}

/** How many socket rows were ever used; it changes while the process runs. */
export function socketsUsed(head: Buffer, layout: Layout): number {
    return Math.min(head.readUInt32LE(184), layout.socketsMax)
}

/** Bytes to read before the layout can be known: header and directory of any segment so far. */
export const HEAD_BYTES = 256 << 10
