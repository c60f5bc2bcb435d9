// SPDX-License-Identifier: Apache-2.0
// What the trace points of a process noted, read from shared memory; and what they go on noting.

import { Command } from 'commander'
import {
    readSegment,
    readTrace,
    type SegmentStats,
    type Trace,
    type TraceRecord,
    tracePoints,
} from '../stats/index.js'
import { EXIT, Failure } from './failure.js'
import { timeOf } from './flight.js'
import { dim, yellow } from './text.js'
import {
    choosePid,
    headLine,
    jsonOption,
    pidOption,
    positive,
    processOf,
    readChosen,
    seconds,
    unreadable,
    type ViewOptions,
} from './view.js'

interface Options extends ViewOptions {
    count?: number
}

const words = tracePoints.map(({ word }) => word)
const SWITCH_ON = 'pronghorn set trace.points state,retransmit'

function pointsFrom(named: string[]): string[] {
    const points = named.flatMap((name) => name.split(','))
    const unknown = points.find((name) => !words.includes(name))
    if (unknown === undefined) return points
    throw new Failure(`"${unknown}" is no trace point; there are ${words.join(', ')}`, EXIT.usage)
}

/** What was noted since `after`; nothing, when no point was ever on: the first one makes the rings. */
function look(pid: number, options: Options, after: readonly number[] = []): Trace {
    try {
        return readTrace(pid, { ...(options.directory && { directory: options.directory }), after })
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
            throw unreadable(error, `the trace of process ${pid}`)
    }
    const { process } = readChosen({ ...options, pid: `${pid}` }, { sockets: false })
    return { process, written: [], lost: [], records: [] }
}

/** The process's statistics; undefined: it was killed, and only its trace is left. */
function statsOf(pid: number, { directory }: Options): SegmentStats | undefined {
    try {
        return readSegment(pid, { ...(directory && { directory }), sockets: false })
    } catch {
        return undefined
    }
}

function lineOf({ timeNs, stack, point, socket, localPort, peerPort, values }: TraceRecord): string {
    const about = [
        socket ? `socket ${socket}` : '',
        localPort ? `port ${localPort}${peerPort ? ` peer ${peerPort}` : ''}` : '',
        ...Object.entries(values).map(([name, value]) => `${name} ${value}`),
    ]
    return `${dim(timeOf(timeNs))} stack ${stack} ${yellow(point.padEnd(10))} ${about.filter(Boolean).join(' ')}`
}

const plain = (record: TraceRecord) => ({ ...record, timeNs: `${record.timeNs}` })

function showOnce(pid: number, trace: Trace, options: Options): void {
    const { process: about, written, lost, records } = trace
    const stats = statsOf(pid, options)
    const points = stats?.facts.settings.find(({ key }) => key === 'trace.points')?.value ?? 'none'
    if (options.json) {
        const { name, product, alive, startedAt } = about
        const process = stats
            ? processOf(stats)
            : { pid, name, product, started: startedAt.toISOString(), alive }
        console.log(JSON.stringify({ process, points, written, lost, records: records.map(plain) }, null, 2))
        return
    }
    console.log(stats ? headLine(stats) : dim(`${about.name} (${pid}), Pronghorn ${about.product}, DEAD`))
    const hint = points === 'none' && about.alive ? ` (${SWITCH_ON})` : ''
    console.log(dim(`on: ${points}${hint}; ${records.length} notes`))
    for (const record of records) console.log(lineOf(record))
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Until the process ends. */
async function follow(
    first: Trace,
    again: (after: readonly number[]) => Trace,
    { json, watch }: Options,
): Promise<void> {
    let { process: about, written, records } = first
    for (;;) {
        for (const record of records) console.log(json ? JSON.stringify(plain(record)) : lineOf(record))
        if (!about.alive) return
        await sleep((typeof watch === 'number' ? watch : 0.2) * 1000)
        const before = written
        const next = again(before)
        ;({ process: about, written, records } = next)
        const missed = next.lost.reduce((sum, lost, i) => sum + Math.max(0, lost - (before[i] ?? 0)), 0)
        if (missed > 0) process.stderr.write(`${missed} notes were written over before this looked\n`)
    }
}

export const trace = () =>
    new Command('trace')
        .description(
            "what a process's trace points noted: states, repetitions, drops, slow turns, sleeps, ...",
        )
        .argument('[points...]', `only these: ${words.join(', ')}`)
        .addOption(pidOption())
        .addOption(jsonOption())
        .option(
            '-w, --watch [seconds]',
            'go on with what comes, looking every 0.2 s or as often as given',
            seconds,
        )
        .option('-c, --count <notes>', 'the last ones only', positive)
        .addHelpText(
            'after',
            `
Points are off until they are switched on, live or by the setting trace.points:
  ${SWITCH_ON}
  pronghorn set trace.points none

Examples:
  pronghorn trace
  pronghorn trace slow-turn drop --watch --json`,
        )
        .action(async (named: string[], options: Options) => {
            const asked = pointsFrom(named)
            const pid = choosePid(options)
            const lookAgain = (after?: readonly number[]): Trace => {
                const trace = look(pid, options, after)
                if (asked.length > 0)
                    trace.records = trace.records.filter(({ point }) => asked.includes(point))
                return trace
            }
            const now = lookAgain()
            if (options.count) now.records = now.records.slice(-options.count)
            if (options.watch) await follow(now, lookAgain, options)
            else showOnce(pid, now, options)
        })
