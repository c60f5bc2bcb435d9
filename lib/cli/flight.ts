// SPDX-License-Identifier: Apache-2.0
// The flight recorder that each process carries: what its stacks saw and did last. Read from shared
// memory, so that it can be had from a process that hangs, or that was killed.

import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import {
    type Flight,
    type FlightEvent,
    type FlightPacket,
    listFlights,
    readFlight,
    readSegment,
    type SegmentStats,
} from '../stats/index.js'
import { faultyStacks } from './banner.js'
import { EXIT, Failure } from './failure.js'
import { packetLine } from './packet-line.js'
import { eventText, pcapngOf } from './pcapng-write.js'
import { dim, table, yellow } from './text.js'
import { duration } from './units.js'
import { headLine, jsonOption, pidOption, positive, unreadable, type ViewOptions } from './view.js'

interface Options extends ViewOptions {
    write?: string
    events?: boolean
    last?: number
    count?: number
    list?: boolean
}

/** As --pid has it everywhere, but dead processes count too. */
function choose({ pid, directory }: Options): number {
    if (pid !== undefined && /^\d+$/.test(pid)) return Number(pid)
    const flights = listFlights(directory ? { directory } : {})
    const wanted = pid === undefined ? flights : flights.filter(({ name }) => name === pid)
    const found = wanted.find(({ alive }) => alive) ?? wanted[0]
    if (found) return found.pid
    throw new Failure(
        pid === undefined
            ? 'there is no flight recorder that you may look at'
            : `there is no flight recorder of a process named "${pid}" (pronghorn flight --list)`,
        EXIT.noProcess,
    )
}

function take(options: Options): Flight {
    const pid = choose(options)
    try {
        return readFlight(pid, options.directory ? { directory: options.directory } : {})
    } catch (error) {
        throw unreadable(error, `the flight recorder of process ${pid}`, 'flight.record = off')
    }
}

function wanted(flight: Flight, { events, last, count }: Options) {
    let records = events ? flight.records.filter(({ kind }) => kind === 'event') : flight.records
    const newest = records.at(-1)?.timeNs ?? 0n
    if (last !== undefined) records = records.filter(({ timeNs }) => newest - timeNs <= BigInt(last) * 1000n)
    return count ? records.slice(-count) : records
}

export function timeOf(timeNs: bigint): string {
    const time = new Date(Number(timeNs / 1_000_000n))
    return `${time.toISOString().slice(11, 19)}.${`${timeNs % 1_000_000_000n}`.padStart(9, '0').slice(0, 6)}`
}

const lineOf = (record: FlightPacket | FlightEvent) =>
    record.kind === 'event'
        ? `${dim(timeOf(record.timeNs))} ${yellow('event')} ${eventText(record)}`
        : `${dim(timeOf(record.timeNs))} ${record.direction.padEnd(5)} stack ${record.stack} ${packetLine(record.bytes)}`

const plain = (record: FlightPacket | FlightEvent) =>
    record.kind === 'event'
        ? { ...record, timeNs: `${record.timeNs}` }
        : {
              ...record,
              timeNs: `${record.timeNs}`,
              bytes: record.bytes.toString('hex'),
              text: packetLine(record.bytes),
          }

/** The process's statistics; undefined: it was killed, and its segment swept. */
function statsOf(pid: number): SegmentStats | undefined {
    try {
        return readSegment(pid, { sockets: false })
    } catch {
        return undefined
    }
}

function portNames(pid: number): (port: number) => string {
    const names = new Map(statsOf(pid)?.facts.ports.map(({ id, name }) => [id, name]))
    return (port) => names.get(port) ?? `port ${port}`
}

function list(options: Options): void {
    const flights = listFlights(options.directory ? { directory: options.directory } : {})
    if (options.json) {
        console.log(
            JSON.stringify(
                {
                    flights: flights.map(({ startedAt, ...of }) => ({
                        ...of,
                        started: startedAt.toISOString(),
                    })),
                },
                null,
                2,
            ),
        )
        return
    }
    if (flights.length === 0) {
        console.log('There is no flight recorder here that you may look at.')
        return
    }
    console.log(
        table(
            [
                { head: 'PID', value: (row) => row.pid, right: true },
                { head: 'NAME', value: (row) => row.name },
                { head: 'STARTED', value: (row) => row.startedAt.toISOString().slice(0, 19) },
                { head: 'STATE', value: (row) => (row.alive ? 'running' : 'dead') },
            ],
            flights,
        ),
    )
}

export const flight = () =>
    new Command('flight')
        .description(
            'the flight recorder: the last packets and TCP events of a process, also after its death',
        )
        .addOption(pidOption())
        .addOption(jsonOption())
        .option('-w, --write <file>', 'as pcapng; - is stdout')
        .option('-e, --events', 'what happened to connections only')
        .option('--last <time>', 'the last moments only: 500ms, 10s', duration)
        .option('-c, --count <records>', 'the last ones only', positive)
        .option('-l, --list', 'which flight recorders there are')
        .addHelpText(
            'after',
            `
The process writes files by itself when flight.trigger or flight.signal is set:
  pronghorn set flight.trigger retransmission

Examples:
  pronghorn flight --events
  pronghorn flight -w - | wireshark -k -i -
  pronghorn flight --pid 4711 --last 2s -w crash.pcapng     killed? it is still there`,
        )
        .action((options: Options) => {
            if (options.list) return list(options)
            const taken = take(options)
            const records = wanted(taken, options)
            const { startedAt, path: _path, ...about } = taken.process
            if (options.write) {
                const bytes = pcapngOf({ ...taken, records }, portNames(about.pid))
                if (options.write === '-') process.stdout.write(bytes)
                else writeFileSync(options.write, bytes, { mode: 0o600 })
                process.stderr.write(`${records.length} records of ${about.name} (${about.pid})\n`)
            } else if (options.json) {
                const stats = statsOf(about.pid)
                const faults = stats !== undefined && faultyStacks(stats).length > 0
                const process = { ...about, started: startedAt.toISOString(), faults }
                const { snapBytes, lost } = taken
                console.log(
                    JSON.stringify({ process, snapBytes, lost, records: records.map(plain) }, null, 2),
                )
            } else {
                const stats = about.alive ? statsOf(about.pid) : undefined
                console.log(
                    stats
                        ? headLine(stats)
                        : dim(`${about.name} (${about.pid}), Pronghorn ${about.product}, DEAD`),
                )
                for (const record of records) console.log(lineOf(record))
            }
        })
