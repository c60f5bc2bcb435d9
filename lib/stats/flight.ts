// SPDX-License-Identifier: Apache-2.0
// Reads a process's flight recorder (native/stats/flight.h): the last packets and TCP events of its
// stacks. Of a live process, of one that hangs, and of one that was killed.

import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { SegmentError, textAt } from './layout.js'
import { isAlive } from './life.js'
import { ipv4, ipv6 } from './sockets.js'

const MAGIC = 'PRNGFLIT'
const VERSION = 1
const HEADER_BYTES = 184
const RECORD_BYTES = 24
const EVENT_BYTES = 76
const STACKS_MAX = 4096
const SLOT_BYTES_MAX = 64 << 10

const KIND_PACKET = 1
const KIND_TCP = 2
const DIRECTIONS = ['', 'in', 'out'] as const

/** In the order of FLIGHT_EVENTS. */
const EVENTS = [
    'state',
    'retransmit',
    'rto',
    'fast-retransmit',
    'reset-in',
    'reset-out',
    'zero-window-in',
    'zero-window-out',
    'timeout',
    'persist-probe',
    'keepalive-probe',
]
const STATES = [
    'closed',
    'listening',
    'syn-sent',
    'syn-recv',
    'established',
    'fin-wait-1',
    'fin-wait-2',
    'close-wait',
    'closing',
    'last-ack',
    'time-wait',
]

/** A packet as it was on the wire. */
export interface FlightPacket {
    /** What it is. */
    kind: 'packet'
    /** Whose. */
    stack: number
    /** Nanoseconds since 1970, of its turn. */
    timeNs: bigint
    /** DPDK's number of the port. */
    port: number
    /** Received or sent. */
    direction: 'in' | 'out'
    /** On the wire; `bytes` may be fewer. */
    length: number
    /** Its first bytes, `snapBytes` at most. */
    bytes: Buffer
}

/** Something that happened to a TCP connection, and how it stood then. */
export interface FlightEvent {
    /** What it is. */
    kind: 'event'
    /** Whose. */
    stack: number
    /** Nanoseconds since 1970, of its turn. */
    timeNs: bigint
    /** What happened: state, retransmit, rto, reset-in, ... */
    event: string
    /** Of the connection, afterwards. */
    state: string
    /** The one before, if it changed. */
    stateBefore: string
    /** Our address. */
    local: string
    /** Our port. */
    localPort: number
    /** The peer's address. */
    peer: string
    /** The peer's port. */
    peerPort: number
    /** The next sequence number that is sent. */
    sendNext: number
    /** The next that is expected. */
    receiveNext: number
    /** Bytes sent and not acknowledged. */
    unacked: number
    /** Congestion window, bytes. */
    cwnd: number
    /** Above it the window grows slowly; bytes. */
    ssthresh: number
    /** What the peer takes, bytes. */
    sendWindow: number
    /** What we take, bytes. */
    receiveWindow: number
    /** Smoothed round-trip time, microseconds. */
    rttUs: number
    /** Retransmission time-out, microseconds. */
    rtoUs: number
    /** Retransmissions in a row. */
    retries: number
}

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

/** All that a recorder holds. */
export interface Flight {
    /** Whose it is. */
    process: FlightProcess
    /** What of a packet is kept at most. */
    snapBytes: number
    /** Records that were written over, by stack. */
    lost: number[]
    /** Oldest first. */
    records: (FlightPacket | FlightEvent)[]
}

interface Head {
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

function headOf(path: string, bytes: Buffer, fileBytes: number): Head {
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
        slotBytes < RECORD_BYTES + EVENT_BYTES ||
        slotBytes > SLOT_BYTES_MAX ||
        ringHeadBytes < 8 ||
        ringBytes < ringHeadBytes + slots * slotBytes ||
        ringOffset < HEADER_BYTES ||
        ringOffset + stacks * ringBytes > fileBytes
    )
        throw wrong('is damaged (impossible sizes)')
    return head
}

function eventFrom(slot: Buffer, stack: number, timeNs: bigint): FlightEvent {
    const e = slot.subarray(RECORD_BYTES)
    const address = (at: number) => (e[0] === 6 ? ipv6 : ipv4)(e.subarray(at, at + 16))
    const word = (at: number) => e.readUInt32LE(at)
    const state = (number: number) => STATES[number] ?? `${number}`
    return {
        kind: 'event',
        stack,
        timeNs,
        event: EVENTS[slot[9]!] ?? `event ${slot[9]}`,
        state: state(e[1]!),
        stateBefore: state(e[2]!),
        local: address(8),
        localPort: e.readUInt16LE(4),
        peer: address(24),
        peerPort: e.readUInt16LE(6),
        sendNext: word(40),
        receiveNext: word(48),
        unacked: (word(40) - word(44)) >>> 0,
        cwnd: word(52),
        ssthresh: word(56),
        sendWindow: word(60),
        receiveWindow: word(64),
        rttUs: word(68),
        rtoUs: word(72),
        retries: e[3]!,
    }
}

function recordFrom(slot: Buffer, stack: number, wallNs: bigint): FlightPacket | FlightEvent | undefined {
    const timeNs = BigInt.asUintN(64, slot.readBigUInt64LE(0) + wallNs)
    const captured = slot.readUInt32LE(16)
    if (slot[8] === KIND_TCP) return eventFrom(slot, stack, timeNs)
    if (slot[8] !== KIND_PACKET || captured > slot.length - RECORD_BYTES) return undefined
    const direction = DIRECTIONS[slot[9]!]
    if (!direction) return undefined
    return {
        kind: 'packet',
        stack,
        timeNs,
        port: slot.readUInt16LE(10),
        direction,
        length: Math.max(captured, slot.readUInt32LE(12)),
        bytes: slot.subarray(RECORD_BYTES, RECORD_BYTES + captured),
    }
}

/** The whole records of one ring, oldest first, while its writer may go on. */
function readRing(fd: number, head: Head, stack: number, path: string) {
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
    const records: (FlightPacket | FlightEvent)[] = []
    for (let n = first; n < end; n++) {
        const slot = (n % head.slots) * head.slotBytes
        if (slot + head.slotBytes > got) continue
        const record = recordFrom(slots.subarray(slot, slot + head.slotBytes), stack, head.wallNs)
        if (record) records.push(record)
    }
    return { lost: Math.min(first, end), records }
}

function withFlight<T>(path: string, use: (fd: number, head: Head) => T): T {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
        const stat = fstatSync(fd)
        if (!stat.isFile()) throw new SegmentError(path, 'is not a file')
        const bytes = Buffer.alloc(Math.min(HEADER_BYTES, stat.size))
        readSync(fd, bytes, 0, bytes.length, 0)
        return use(fd, headOf(path, bytes, stat.size))
    } finally {
        closeSync(fd)
    }
}

function processOf({ pid, name, product, startedAt, startTicks }: Head, path: string): FlightProcess {
    return { pid, name, product, startedAt, alive: isAlive(pid, startTicks), path }
}

/** Throws as readSegment() does. */
export function readFlight(pid: number, { directory = '/dev/shm' }: { directory?: string } = {}): Flight {
    const path = join(directory, `pronghorn.${pid}.flight`)
    return withFlight(path, (fd, head) => {
        const rings = Array.from({ length: head.stacks }, (_, stack) => readRing(fd, head, stack, path))
        // (Of one moment: the order in which the ring has them.)
        const records = rings.flatMap((ring) => ring.records)
        records.sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0))
        return {
            process: processOf(head, path),
            snapBytes: head.snapBytes,
            lost: rings.map((ring) => ring.lost),
            records,
        }
    })
}

/** The flight recorders that can be read, newest process first; dead ones too. */
export function listFlights({ directory = '/dev/shm' }: { directory?: string } = {}): FlightProcess[] {
    const found: FlightProcess[] = []
    for (const name of readdirSync(directory)) {
        if (!/^pronghorn\.\d+\.flight$/.test(name)) continue
        const path = join(directory, name)
        try {
            found.push(withFlight(path, (_fd, head) => processOf(head, path)))
        } catch {
            // Another user's, just gone, or none.
        }
    }
    return found.sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
}
