// SPDX-License-Identifier: Apache-2.0
// A process's statistics segment, read as a whole.

import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { type ChosenStats, readChosen } from './chosen.js'
import { type Facts, readFacts } from './facts.js'
import { Histogram } from './histogram.js'
import { type Field, HEAD_BYTES, type Layout, layoutOf, SegmentError, socketsUsed } from './layout.js'
import { isAlive } from './life.js'
import { numberReader, readSockets, type SocketStats, type SocketTable, socketTable } from './sockets.js'

/** Where the segments are. Another directory is for tests. */
export const SEGMENT_DIRECTORY = '/dev/shm'

/** Where to look. */
export interface StatsOptions {
    /** SEGMENT_DIRECTORY by default. */
    directory?: string
}

/** A process that runs stacks, or ran them. */
export interface ProcessInfo {
    /** Its number. */
    pid: number
    /** runtime.name, or the program's. */
    name: string
    /** "0.1.0 (DPDK 22.11.11, lwIP 2.1.3)" */
    product: string
    /** When its runtime started. */
    startedAt: Date
    /** How many it has. */
    stacks: number
    /** False: it was killed, and its segment was not cleared away yet. */
    alive: boolean
    /** Of its segment. */
    path: string
}

/**
 * By the names of docs/stats.md. Numbers are exact up to 2^53. Durations and the gauge `turned_us` are by
 * CLOCK_MONOTONIC, that of `process.hrtime()`; what is said to be since 1970 is by the clock of the day.
 */
export interface StackStats {
    /** From 0 on. */
    index: number
    /** They only grow. */
    counters: Record<string, number>
    /** What holds now. */
    gauges: Record<string, number>
    /** Distributions of times and sizes. */
    histograms: Record<string, Histogram>
}

/** All that a segment says. */
export interface SegmentStats {
    /** Whose it is. */
    process: ProcessInfo
    /** One entry each. */
    stacks: StackStats[]
    /** One entry for each open socket; empty if they were not asked for. */
    sockets: SocketStats[]
    /** Sockets that are measured by themselves (pronghorn latency). */
    chosen: ChosenStats[]
    /** Settings, ports and sizes: what does not change. */
    facts: Facts
    /** Name, unit and meaning of what is in `stacks` and `sockets`. */
    fields: {
        /** Of a stack. */
        stack: Field[]
        /** Of a socket. */
        socket: Field[]
    }
}

function infoOf(layout: Layout, path: string): ProcessInfo {
    const { pid, name, product, startedAt, stacks } = layout
    return { pid, name, product, startedAt, stacks, alive: isAlive(pid, layout.startTicks), path }
}

/** Opens, checks and describes one segment, and closes it again. */
function withSegment<T>(path: string, use: (fd: number, layout: Layout, head: Buffer) => T): T {
    // Neither through a link nor into a pipe that somebody else may have put there.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
        const stat = fstatSync(fd)
        if (!stat.isFile()) throw new SegmentError(path, 'is not a file')
        const head = Buffer.alloc(Math.min(HEAD_BYTES, stat.size))
        const length = readSync(fd, head, 0, head.length, 0)
        return use(fd, layoutOf(path, head.subarray(0, length), stat.size), head)
    } finally {
        closeSync(fd)
    }
}

function stackFrom(block: Buffer, fields: Field[], index: number): StackStats {
    const stack: StackStats = { index, counters: {}, gauges: {}, histograms: {} }
    for (const field of fields) {
        if (field.kind === 'histogram')
            stack.histograms[field.name] = Histogram.from(
                block.subarray(field.offset, field.offset + field.bytes),
                field.detail,
            )
        else if (field.kind === 'counter') stack.counters[field.name] = numberReader(field)(block, 0)
        else stack.gauges[field.name] = numberReader(field)(block, 0)
    }
    return stack
}

/** The processes whose segments can be read, newest first; without `all` only those that live. */
export function listProcesses(options: StatsOptions & { all?: boolean } = {}): ProcessInfo[] {
    const directory = options.directory ?? SEGMENT_DIRECTORY
    const processes: ProcessInfo[] = []
    for (const name of readdirSync(directory)) {
        if (!/^pronghorn\.\d+$/.test(name)) continue
        try {
            processes.push(
                withSegment(join(directory, name), (_fd, layout) => infoOf(layout, join(directory, name))),
            )
        } catch {
            // Another user's, just gone, or no segment: nothing that could be listed.
        }
    }
    return processes
        .filter((process) => options.all || process.alive)
        .sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
}

export interface ReadOptions extends StatsOptions {
    /** False: none. Names of fields: only these of each, which is faster when there are many sockets. */
    sockets?: boolean | Iterable<string>
}

function readWith<T>(
    pid: number,
    { directory = SEGMENT_DIRECTORY }: StatsOptions,
    readTable: (fd: number, layout: Layout, used: number) => T,
): { stats: Omit<SegmentStats, 'sockets'>; sockets: T } {
    const path = join(directory, `pronghorn.${pid}`)
    return withSegment(path, (fd, layout, head) => {
        const stacks: StackStats[] = []
        const block = Buffer.alloc(layout.stackBytes)
        for (let i = 0; i < layout.stacks; i++) {
            const length = readSync(fd, block, 0, block.length, layout.stackOffset + i * layout.stackBytes)
            if (length < block.length) throw new SegmentError(path, 'is damaged (it became shorter)')
            stacks.push(stackFrom(block, layout.stackFields, i))
        }
        return {
            stats: {
                process: infoOf(layout, path),
                stacks,
                chosen: readChosen(fd, layout),
                facts: readFacts(fd, layout),
                fields: { stack: layout.stackFields, socket: layout.socketFields },
            },
            sockets: readTable(fd, layout, socketsUsed(head, layout)),
        }
    })
}

/**
 * All that a process counts, at about one moment. Throws a SegmentError when the file is no segment,
 * of another version, or damaged, and the system's error when it cannot be opened (ENOENT: no such
 * process of ours, EACCES: another user's).
 */
export function readSegment(pid: number, options: ReadOptions = {}): SegmentStats {
    const { sockets: wanted = true } = options
    const only = typeof wanted === 'boolean' ? undefined : new Set(wanted)
    const { stats, sockets } = readWith(pid, options, (fd, layout, used) =>
        wanted === false ? [] : readSockets(fd, layout, used, only),
    )
    return { ...stats, sockets }
}

/** The same; the sockets as a table, for those who look at very many. */
export function readSegmentTable(
    pid: number,
    options: StatsOptions = {},
): { stats: SegmentStats; table: SocketTable } {
    const { stats, sockets } = readWith(pid, options, (fd, layout, used) => socketTable(fd, layout, used))
    return { stats: { ...stats, sockets: [] }, table: sockets }
}
