// SPDX-License-Identifier: Apache-2.0
// What all commands that show something have in common: which process, text or JSON, once or again
// and again.

import { once } from 'node:events'
import { Command, InvalidArgumentError, Option } from 'commander'
import {
    listProcesses,
    readSegment,
    SegmentError,
    type SegmentStats,
    type StatsOptions,
} from '../stats/index.js'
import { isStopped } from '../stats/life.js'
import { banner, faultyStacks } from './banner.js'
import { EXIT, Failure } from './failure.js'
import { dim } from './text.js'

export interface ViewOptions {
    pid?: string
    json?: boolean
    /** Seconds between two looks; true: 1. */
    watch?: number | boolean
    /** For the tests: another folder than /dev/shm. */
    directory?: string
}

/** One decimal, or several joined by commas are too much: a plain number of seconds. */
export function seconds(text: string): number {
    const value = Number(text)
    if (!Number.isFinite(value) || value < 0.05 || value > 86400)
        throw new InvalidArgumentError('give seconds, from 0.05 to 86400')
    return value
}

export function positive(text: string): number {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('give a number from 1 on')
    return value
}

export const pidOption = () =>
    new Option('-p, --pid <pid>', 'the process: its pid or name (default: the newest)')
export const jsonOption = () => new Option('-j, --json', 'JSON instead of text')

/** A command with the options of all views. */
export function viewCommand(name: string, description: string): Command {
    return new Command(name)
        .description(description)
        .addOption(pidOption())
        .addOption(jsonOption())
        .option('-w, --watch [seconds]', 'again every second, or as often as given', seconds)
        .addOption(new Option('--directory <path>', 'where the segments are').hideHelp())
}

export function unreadable(error: unknown, what: string, off = 'stats.enabled = off'): Failure {
    const { code, message } = error as NodeJS.ErrnoException
    if (error instanceof SegmentError) return new Failure(message, EXIT.unreadable)
    if (code === 'EACCES' || code === 'EPERM')
        return new Failure(`${what}: another user's; run this as that user or as root`, EXIT.unreadable)
    if (code === 'ENOENT')
        return new Failure(
            `${what}: not a process of Pronghorn, or it ended, or it runs with ${off}`,
            EXIT.noProcess,
        )
    return new Failure(`${what}: ${message}`, EXIT.unreadable)
}

/** At three in the morning nobody remembers whether it is redis or redis-server. */
export function noneNamed(name: string, where: StatsOptions): Failure {
    const names = [...new Set(listProcesses(where).map((each) => each.name))].slice(0, 5)
    const there = names.length > 0 ? `there are ${names.join(', ')}` : 'none runs'
    return new Failure(
        `no process of Pronghorn is named "${name}": ${there} (pronghorn show processes)`,
        EXIT.noProcess,
    )
}

/** The pid that --pid means: a number, a name (the newest of that name), or nothing (the newest). */
export function choosePid({ pid, directory }: ViewOptions): number {
    if (pid !== undefined && /^\d+$/.test(pid)) return Number(pid)
    const processes = listProcesses(directory ? { directory } : {})
    const found = pid === undefined ? processes[0] : processes.find((process) => process.name === pid)
    if (found) return found.pid
    if (pid !== undefined) throw noneNamed(pid, directory ? { directory } : {})
    throw new Failure(
        'no process of Pronghorn runs that you may look at (pronghorn show processes --all)',
        EXIT.noProcess,
    )
}

/** What `read` gives of the chosen process. */
export function readOf<T>(options: ViewOptions, read: (pid: number, where: StatsOptions) => T): T {
    const pid = choosePid(options)
    try {
        return read(pid, options.directory ? { directory: options.directory } : {})
    } catch (error) {
        throw unreadable(error, `process ${pid}`)
    }
}

/** The statistics of the chosen process. */
export const readChosen = (
    options: ViewOptions,
    what: { sockets?: boolean | Iterable<string> } = {},
): SegmentStats => readOf(options, (pid, where) => readSegment(pid, { ...what, ...where }))

/** For JSON: whose numbers these are. */
export function processOf(stats: SegmentStats) {
    const { pid, name, product, startedAt, alive } = stats.process
    const faults = faultyStacks(stats).length > 0
    const stopped = alive && isStopped(pid)
    return { pid, name, product, started: startedAt.toISOString(), alive, stopped, faults }
}

/** For text: the same on a line, with what must not be overlooked. */
export function headLine(stats: SegmentStats): string {
    const { pid, name, product, alive } = stats.process
    const line = dim(`${name} (${pid}), Pronghorn ${product}${alive ? '' : ', DEAD: its last numbers'}`)
    const warning = banner(stats)
    return warning ? `${warning}\n${line}` : line
}

/** Text, whole or in pieces; the pieces of a long one are not kept. */
export type Pieces = string | Iterable<string | Uint8Array>

export interface View<T> {
    collect: () => T | Promise<T>
    text: (data: T) => Pieces
    /** What of it is for others, when not all is. */
    json?: (data: T) => object
    /** Writes the JSON itself; `indent` is what JSON.stringify() takes. */
    jsonPieces?: (data: T, indent: number) => Pieces
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Not faster than the reader takes it. */
async function write(pieces: Pieces): Promise<void> {
    for (const piece of typeof pieces === 'string' ? [pieces] : pieces)
        if (!process.stdout.write(piece)) await once(process.stdout, 'drain')
}

/** Shows once, or until interrupted. With --json --watch: one line of JSON for each look. */
export async function show<T>(options: ViewOptions, view: View<T>): Promise<void> {
    const json = (data: T, indent: number): Pieces =>
        view.jsonPieces?.(data, indent) ?? JSON.stringify(view.json?.(data) ?? data, null, indent)
    const out = async (...parts: Pieces[]) => {
        for (const part of parts) await write(part)
        await write('\n')
    }
    if (!options.watch) {
        const data = await view.collect()
        await out(options.json ? json(data, 2) : view.text(data))
        return
    }
    const every = options.watch === true ? 1 : options.watch
    const screen = process.stdout.isTTY && !options.json
    for (;;) {
        const data = await view.collect()
        if (options.json) await out(json(data, 0))
        else if (screen) await out('\u001b[H\u001b[2J', view.text(data))
        else await out(`${new Date().toISOString()}\n`, view.text(data), '\n')
        await sleep(every * 1000)
    }
}

/** A view of one process's numbers: JSON is {process, ...data}, text begins with its head line. */
export function showStats<T extends object>(
    options: ViewOptions,
    pick: (stats: SegmentStats) => T,
    text: (data: T, stats: SegmentStats) => string,
    what: { sockets?: boolean | Iterable<string> } = { sockets: false },
): Promise<void> {
    let stats: SegmentStats
    return show(options, {
        collect: () => {
            stats = readChosen(options, what)
            return { process: processOf(stats), ...pick(stats) }
        },
        text: (data) => `${headLine(stats)}\n${text(data, stats)}`,
    })
}
