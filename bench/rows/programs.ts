// SPDX-License-Identifier: Apache-2.0
// Programs that are not ours: how they are started, and how what they print is read.

import { spawnSync } from 'node:child_process'
import type { Context } from '../context.js'
import type { Program, Result } from '../host/program.js'
import { only } from '../row.js'
import type { Sample } from '../statistics.js'

export const LIMIT_SECONDS = 60
export const CONNECTIONS = 50

export type Command = Pick<Program, 'ready' | 'read'> & { command: string; args: (string | number)[] }

/** Pinned, and killed with us; what it needs is said when it is missing. */
export function pinned(
    context: Context,
    core: 0 | 1,
    what: Command,
    where: Pick<Program, 'env' | 'namespace'>,
): Program {
    if (spawnSync('which', [what.command]).status !== 0)
        throw new Error(`${what.command} is not installed (tools/setup/packages.json says where it is from)`)
    const before = ['--pdeathsig', 'KILL', 'taskset', '-c', `${context.options.cores[core]}`]
    return {
        ...what,
        command: 'setpriv',
        args: [...before, what.command, ...what.args.map(String)],
        ...where,
    }
}

/** What a closed loop of `inFlight` requests did, and the rate at which it had gone were each as slow as the p99. */
export function loopRate(result: Result, inFlight: number): Sample {
    return { value: result.rate as number, p99: (inFlight * 1e3) / (result.p99_ms as number) }
}

/** "GET","303490.16",avg,min,p50,p95,p99,max: latencies in milliseconds. */
export function readRedis(output: string): Result[] {
    return output
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split(',').map((cell) => cell.replaceAll('"', '')))
        .map(([bench, rate, , , , , p99]) => ({ bench, rate: Number(rate), p99_ms: Number(p99) }))
}

const UNIT_MS: Record<string, number> = { us: 1e-3, ms: 1, s: 1e3 }

export function readWrk(output: string): Result[] {
    const rate = /^Requests\/sec:\s+([\d.]+)/m.exec(output)
    const tail = /^\s+99%\s+([\d.]+)(us|ms|s)$/m.exec(output)
    const wrong = /^\s*(?:Socket errors|Non-2xx).*$/m.exec(output)
    if (!rate || !tail || wrong) throw new Error(`wrk: ${wrong?.[0].trim() ?? output}`)
    return [{ bench: 'wrk', rate: Number(rate[1]), p99_ms: Number(tail[1]) * UNIT_MS[tail[2]!]! }]
}

export const wrk = (context: Context, url: string): Command => ({
    command: 'wrk',
    // It counts whole seconds only.
    args: [
        '-t',
        1,
        '-c',
        CONNECTIONS,
        '-d',
        Math.max(1, Math.round(context.options.seconds)),
        '--latency',
        url,
    ],
    read: readWrk,
})

export const wrkSample = (run: { client: Result[] }) => loopRate(only(run.client, 'wrk'), CONNECTIONS)
