// SPDX-License-Identifier: Apache-2.0
// Reads what a process's trace points noted (native/stats/trace.h).

import { join } from 'node:path'
import { STATES } from './flight.js'
import { type FlightProcess, processOf, RECORD_BYTES, readRing, withRings } from './rings.js'
import { readSegment } from './segment.js'
import { tracePoints } from './trace-points.js'

const KIND_TRACE = 3
const NOTE_BYTES = 32
/** In the order of enum trace_wake. */
const WAKES = ['call', 'timer', 'device']

/** One note. */
export interface TraceRecord {
    /** Of the stack. */
    stack: number
    /** Nanoseconds since 1970. */
    timeNs: bigint
    /** Its word, as trace.points has it. */
    point: string
    /** The socket's id, as in `show sockets --json`; 0: none, or not yet. */
    socket: number
    /** Our port number; 0: it is about no connection. */
    localPort: number
    /** The peer's. */
    peerPort: number
    /** By their names in docs/configuration.md. */
    values: Record<string, number | string>
}

/** What is in the rings. */
export interface Trace {
    /** Whose. */
    process: FlightProcess
    /** Notes ever written, by stack. */
    written: number[]
    /** Of these, those that were written over, by stack. */
    lost: number[]
    /** Oldest first. */
    records: TraceRecord[]
}

/** A number, or what it stands for. */
function meaning(point: string, name: string, value: number, reasons: Map<number, string>): number | string {
    if (point === 'state') return STATES[value] ?? value
    if (point === 'drop' && name === 'reason') return reasons.get(value) ?? value
    if (point === 'wake' && name === 'by') return WAKES[value] ?? value
    return value
}

function recordFrom(slot: Buffer, stack: number, wallNs: bigint, reasons: Map<number, string>) {
    const point = tracePoints[slot[9]!]
    if (slot[8] !== KIND_TRACE || !point) return undefined // of a later version
    const note = slot.subarray(RECORD_BYTES)
    const long = (at: number) => Number(note.readBigUInt64LE(at))
    const { word, values } = point
    return {
        stack,
        timeNs: BigInt.asUintN(64, slot.readBigUInt64LE(0) + wallNs),
        point: word,
        socket: long(0),
        localPort: note.readUInt16LE(24),
        peerPort: note.readUInt16LE(26),
        values: Object.fromEntries(
            values.map((name, i) => [name, meaning(word, name, long(8 + 8 * i), reasons)]),
        ),
    }
}

/** The drops' counters, by where the segment has them. */
function reasonsOf(pid: number, directory: string): Map<number, string> {
    try {
        const { fields } = readSegment(pid, { directory, sockets: false })
        return new Map(fields.stack.map(({ name, offset }) => [offset, name]))
    } catch {
        return new Map() // it was killed, and its segment swept
    }
}

/**
 * Throws as readSegment() does; ENOENT: no point was ever on. `after`: what an earlier look gave as
 * `written`; only what came since.
 */
export function readTrace(
    pid: number,
    { directory = '/dev/shm', after = [] }: { directory?: string; after?: readonly number[] } = {},
): Trace {
    const path = join(directory, `pronghorn.${pid}.trace`)
    return withRings(path, NOTE_BYTES, (fd, head) => {
        const reasons = reasonsOf(pid, directory)
        const rings = Array.from({ length: head.stacks }, (_, stack) =>
            readRing(
                fd,
                head,
                stack,
                path,
                (slot, of, wallNs) => recordFrom(slot, of, wallNs, reasons),
                after[stack],
            ),
        )
        const records = rings.flatMap((ring) => ring.records)
        records.sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0))
        return {
            process: processOf(head, path),
            written: rings.map(({ end }) => end),
            lost: rings.map(({ lost }) => lost),
            records,
        }
    })
}
