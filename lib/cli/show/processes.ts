// SPDX-License-Identifier: Apache-2.0
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readSegment, SEGMENT_DIRECTORY, SegmentError } from '../../stats/index.js'
import { faultyStacks } from '../banner.js'
import { age, red, table, yellow } from '../text.js'
import { noneNamed, show, unreadable, type ViewOptions, viewCommand } from '../view.js'

interface ProcessRow {
    pid: number
    name: string
    product: string
    started: string | null
    alive: boolean
    stacks: number
    sockets: number
    user: number
    /** Faults are being injected. */
    faults?: boolean
    /** Why its numbers cannot be read. */
    problem?: string
}

function rowOf(pid: number, directory: string): ProcessRow | undefined {
    const path = join(directory, `pronghorn.${pid}`)
    let user = -1
    try {
        user = lstatSync(path).uid
        const stats = readSegment(pid, { directory, sockets: false })
        const { process: about, stacks } = stats
        const sockets = stacks.reduce(
            (sum, { gauges }) => sum + (gauges.sockets_tcp ?? 0) + (gauges.sockets_udp ?? 0),
            0,
        )
        return {
            pid,
            name: about.name,
            product: about.product,
            started: about.startedAt.toISOString(),
            alive: about.alive,
            stacks: stacks.length,
            sockets,
            user,
            faults: faultyStacks(stats).length > 0,
        }
    } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') return undefined // it just ended
        const problem =
            code === 'EACCES'
                ? "another user's"
                : error instanceof SegmentError
                  ? message
                  : `${code ?? message}`
        const none = { product: '', started: null, alive: false, stacks: 0, sockets: 0 }
        return { pid, name: '', ...none, user, problem }
    }
}

interface Options extends ViewOptions {
    all?: boolean
}

function collect(options: Options) {
    const { directory = SEGMENT_DIRECTORY, pid } = options
    // (One that is asked for by its pid is shown whatever became of it.)
    const one = pid !== undefined && /^\d+$/.test(pid)
    const all = options.all || one
    const processes = readdirSync(directory)
        .filter((name) => /^pronghorn\.\d+$/.test(name))
        .map((name) => rowOf(Number(name.slice(10)), directory))
        .filter((row) => row !== undefined)
        .filter((row) => all || row.alive)
        .filter((row) => pid === undefined || (one ? row.pid === Number(pid) : row.name === pid))
        .sort((a, b) => (b.started ?? '').localeCompare(a.started ?? ''))
    if (pid !== undefined && processes.length === 0) {
        if (one) throw unreadable({ code: 'ENOENT' }, `process ${pid}`)
        throw noneNamed(pid, { directory })
    }
    return { processes }
}

function text({ processes }: ReturnType<typeof collect>): string {
    if (processes.length === 0) return 'No process of Pronghorn runs here (that you may look at: --all).'
    const state = (row: ProcessRow) =>
        row.problem ?? (!row.alive ? 'dead' : row.faults ? 'running, FAULTS ARE BEING INJECTED' : 'running')
    return table<ProcessRow>(
        [
            { head: 'PID', value: (row) => row.pid, right: true },
            { head: 'NAME', value: (row) => row.name || '-' },
            { head: 'USER', value: (row) => row.user, right: true },
            {
                head: 'AGE',
                value: (row) => (row.started ? age(Date.now() - Date.parse(row.started)) : '-'),
                right: true,
            },
            { head: 'STACKS', value: (row) => row.stacks, right: true },
            { head: 'SOCKETS', value: (row) => row.sockets, right: true },
            {
                head: 'STATE',
                value: state,
                paint: (word, row) =>
                    row.problem || row.faults ? red(word) : row.alive ? word : yellow(word),
            },
            { head: 'VERSION', value: (row) => row.product },
        ],
        processes,
    )
}

export const processes = () =>
    viewCommand('processes', 'the processes that run on Pronghorn, newest first; --pid: only those')
        .alias('ps')
        .option('-a, --all', 'dead ones too, and those whose numbers cannot be read')
        .action((options: Options) => show(options, { collect: () => collect(options), text }))
