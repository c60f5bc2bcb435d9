// SPDX-License-Identifier: Apache-2.0
// The files of rings of native/stats/flight.h: the flight recorder's, and the trace points'.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { SegmentError, textAt } from './layout.js'
import { isAlive } from './life.js'

const MAGIC = 'PRNGFLIT'
const VERSION = 1
const HEADER_BYTES = 184
export const RECORD_BYTES = 24
const STACKS_MAX = 4096
const SLOT_BYTES_MAX = 64 << 10

/** Whose recorder it is. */
export interface FlightProcess {
    /** Its number. */
    pid: number
    /** runtime.name, or the program's. */
    name: string
    /** The versions that it runs. */
    product: string
    /** When its runtime started. */
    startedAt: Date
    /** False: it ended, or was killed. */
    alive: boolean
    /** Of the recorder's file. */
    path: string
}

export interface Head {
    pid: number
    startTicks: bigint
    startedAt: Date
    name: string
    product: string
    stacks: number
    ringOffset: number
    ringBytes: number
    ringHeadBytes: number
    slots: number
    slotBytes: number
    snapBytes: number
    wallNs: bigint
}

function headOf(path: string, bytes: Buffer, fileBytes: number, payloadBytes: number): Head {
    const wrong = (what: string) => new SegmentError(path, what)
    if (bytes.length < HEADER_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC)
        throw wrong('is no flight recorder')
    if (bytes.readUInt32LE(8) !== VERSION)
        throw wrong(`is a flight recorder of version ${bytes.readUInt32LE(8)}; this tool knows ${VERSION}`)
    const long = (at: number) => Number(bytes.readBigUInt64LE(at))
    const head = {
        pid: bytes.readUInt32LE(24),
        stacks: bytes.readUInt32LE(28),
        startTicks: bytes.readBigUInt64LE(32),
        startedAt: new Date(long(40)),
        name: textAt(bytes, 48, 32),
        product: textAt(bytes, 80, 64),
        ringOffset: long(144),
        ringBytes: long(152),
        ringHeadBytes: bytes.readUInt32LE(160),
        slots: bytes.readUInt32LE(164),
        slotBytes: bytes.readUInt32LE(168),
        snapBytes: bytes.readUInt32LE(172),
        wallNs: bytes.readBigUInt64LE(176),
    }
    const { stacks, slots, slotBytes, ringHeadBytes, ringBytes, ringOffset } = head
    if (
        stacks > STACKS_MAX ||
        slots === 0 ||
        (slots & (slots - 1)) !== 0 ||
        slotBytes < RECORD_BYTES + payloadBytes ||
        slotBytes > SLOT_BYTES_MAX ||
        ringHeadBytes < 8 ||
        ringBytes < ringHeadBytes + slots * slotBytes ||
        ringOffset < HEADER_BYTES ||
        ringOffset + stacks * ringBytes > fileBytes
    )
        throw wrong('is damaged (impossible sizes)')
    return head
}

/** The whole records of one ring from the one numbered `after` on, oldest first, while its writer may go on. */
export function readRing<T>(
    fd: number,
    head: Head,
    stack: number,
    path: string,
    recordFrom: (slot: Buffer, stack: number, wallNs: bigint) => T | undefined,
    after = 0,
) {
    const at = head.ringOffset + stack * head.ringBytes
    const word = Buffer.alloc(8)
    const position = () => {
        const got = readSync(fd, word, 0, 8, at)
        const value = Number(word.readBigUInt64LE(0))
        // (Beyond it, counting stands still.)
        if (got < 8 || !Number.isSafeInteger(value)) throw new SegmentError(path, 'is damaged')
        return value
    }
    const slots = Buffer.alloc(head.slots * head.slotBytes)
    const end = position()
    const got = readSync(fd, slots, 0, slots.length, at + head.ringHeadBytes)
    // Record `later` may be half written: into the slot of the one that is `slots` older.
    const later = Math.max(end, position())
    const first = later >= head.slots ? later - head.slots + 1 : 0
    const records: T[] = []
    for (let n = Math.max(first, after); n < end; n++) {
        const slot = (n % head.slots) * head.slotBytes
        if (slot + head.slotBytes > got) continue
        const record = recordFrom(slots.subarray(slot, slot + head.slotBytes), stack, head.wallNs)
        if (record) records.push(record)
    }
    return { lost: Math.min(first, end), end, records }
}

/** Opens, checks and describes such a file; its records have at least `payloadBytes` behind their heads. */
export function withRings<T>(path: string, payloadBytes: number, use: (fd: number, head: Head) => T): T {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
        const stat = fstatSync(fd)
        if (!stat.isFile()) throw new SegmentError(path, 'is not a file')
        const bytes = Buffer.alloc(Math.min(HEADER_BYTES, stat.size))
        readSync(fd, bytes, 0, bytes.length, 0)
        return use(fd, headOf(path, bytes, stat.size, payloadBytes))
    } finally {
        closeSync(fd)
    }
}

export function processOf({ pid, name, product, startedAt, startTicks }: Head, path: string): FlightProcess {
    return { pid, name, product, startedAt, alive: isAlive(pid, startTicks), path }
}
