// SPDX-License-Identifier: Apache-2.0
// What the trace points of a process noted, read from shared memory; and what they go on noting.

import { Command } from 'commander'
import { readSegment, readTrace, type TraceRecord, tracePoints } from '../stats/index.js'
import { EXIT, Failure } from './failure.js'
import { timeOf } from './flight.js'
import { dim, yellow } from './text.js'
import { choosePid, jsonOption, pidOption, positive, seconds, unreadable, type ViewOptions } from './view.js'

interface Options extends ViewOptions {
    count?: number
}

const words = tracePoints.map(({ word }) => word)
const SWITCH_ON = 'pronghorn set trace.points state,retransmit'

/** The points that are on now; undefined: who could tell is gone. */
function pointsOn(pid: number, where: { directory?: string }): string | undefined {
    try {
        const { settings } = readSegment(pid, { ...where, sockets: false }).facts
        return settings.find(({ key }) => key === 'trace.points')?.value
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
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

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
            const asked = named.flatMap((name) => name.split(','))
            const unknown = asked.find((name) => !words.includes(name))
            if (unknown !== undefined)
                throw new Failure(`"${unknown}" is no trace point; there are ${words.join(', ')}`, EXIT.usage)
            const pid = choosePid(options)
            const where = options.directory ? { directory: options.directory } : {}
            const look = (after: readonly number[]) => {
                try {
                    const found = readTrace(pid, { ...where, after })
                    if (asked.length > 0)
                        found.records = found.records.filter(({ point }) => asked.includes(point))
                    return found
                } catch (error) {
                    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
                        throw unreadable(error, `the trace of process ${pid}`)
                    const why =
                        pointsOn(pid, where) === undefined
                            ? 'it is no process of Pronghorn, or it ended'
                            : `none of its trace points was ever on; switch some on: ${SWITCH_ON}`
                    throw new Failure(`process ${pid}: ${why}`, EXIT.noProcess)
                }
            }
            let { process: about, written, lost, records } = look([])
            if (options.count) records = records.slice(-options.count)
            if (!options.watch) {
                const { startedAt, path: _path, ...of } = about
                const on = pointsOn(pid, where) ?? 'none'
                if (options.json) {
                    const process = { ...of, started: startedAt.toISOString() }
                    console.log(
                        JSON.stringify(
                            { process, points: on, written, lost, records: records.map(plain) },
                            null,
                            2,
                        ),
                    )
                    return
                }
                console.log(dim(`${about.name} (${pid}), on: ${on}; ${records.length} notes`))
                for (const record of records) console.log(lineOf(record))
                return
            }
            const every = options.watch === true ? 0.2 : options.watch
            for (;;) {
                for (const record of records)
                    console.log(options.json ? JSON.stringify(plain(record)) : lineOf(record))
                if (!about.alive) return
                await sleep(every * 1000)
                const before = written
                ;({ process: about, written, lost, records } = look(before))
                const missed = lost.reduce((sum, first, i) => sum + Math.max(0, first - before[i]!), 0)
                if (missed > 0) process.stderr.write(`${missed} notes were written over before this looked\n`)
            }
        })
