// SPDX-License-Identifier: Apache-2.0
// Reads a process's flight recorder (native/stats/flight.h): the last packets and TCP events of its
// stacks. Of a live process, of one that hangs, and of one that was killed.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type FlightProcess, processOf, RECORD_BYTES, readRing, withRings } from './rings.js'
import { ipv4, ipv6 } from './sockets.js'

const EVENT_BYTES = 76

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
export const STATES = [
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

/** Throws as readSegment() does. */
export function readFlight(pid: number, { directory = '/dev/shm' }: { directory?: string } = {}): Flight {
    const path = join(directory, `pronghorn.${pid}.flight`)
    return withRings(path, EVENT_BYTES, (fd, head) => {
        const rings = Array.from({ length: head.stacks }, (_, stack) =>
            readRing(fd, head, stack, path, recordFrom),
        )
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
            found.push(withRings(path, EVENT_BYTES, (_fd, head) => processOf(head, path)))
        } catch {
            // Another user's, just gone, or none.
        }
    }
    return found.sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
}
