// SPDX-License-Identifier: Apache-2.0
// Unmodified programs under the shim, for test/preload and test/programs.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Result, type RunOptions, run } from '../../tools/net/commands.js'
import { makeWire, type Wire, whyNoWires } from '../../tools/net/wire.js'

const preset = process.env.PRONGHORN_TEST_PRESET ?? 'release'
export const build = fileURLToPath(new URL(`../../build/${preset}/`, import.meta.url))
export const shim = `${build}libpronghorn-preload.so`
export const calls = `${build}net/calls`
export const LOOPBACK_RULES = 'ours,address=127.0.0.0/8;ours,address=::1'

export type Environment = Record<string, string>

export function skipWithout(...files: string[]): void {
    const missing = files.find((file) => !existsSync(file))
    if (missing === undefined) return
    t.plan(0, `there is no ${missing}`)
    process.exit(0)
}

/* A wire for the whole file, which is skipped without wires, the shim, or one of the programs. */
export function start(...programs: string[]): Wire {
    const missing = programs.find((name) => spawnSync('which', [name]).status !== 0)
    const why = whyNoWires() ?? (missing && `${missing} is not installed`)
    if (why) {
        t.plan(0, why)
        process.exit(0)
    }
    skipWithout(shim)
    const wire = makeWire()
    t.teardown(() => wire.close())
    return wire
}

/* The settings with which a program's stack stands on our end of it. */
export const onWire = (wire: Wire): Environment => ({
    PRONGHORN_PORT: wire.port,
    PRONGHORN_MEMORY_HUGEPAGES: 'off',
})

/* env(1) takes out what tap puts into every Node's environment. */
function under(command: string, args: string[], env: Environment): [string, string[]] {
    const settings = Object.entries({ PRONGHORN_LOG_LEVEL: 'warning', ...env }).map(([k, v]) => `${k}=${v}`)
    return ['env', ['-u', 'NODE_OPTIONS', ...settings, `LD_PRELOAD=${shim}`, command, ...args]]
}

/* Runs a program under the shim to its end. */
export function runShimmed(
    command: string,
    args: string[],
    env: Environment = {},
    options: RunOptions = {},
): Promise<Result> {
    return run(...under(command, args, env), options)
}

/* Starts one; it is killed at the end of the test at the latest. */
export function startShimmed(
    command: string,
    args: string[],
    env: Environment = {},
    options: SpawnOptions = {},
): ChildProcess {
    const child = spawn(...under(command, args, env), { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    t.teardown(() => child.kill('SIGKILL'))
    return child
}

/* What it writes to its pipe, line by line, as it comes. */
export function linesOf(child: ChildProcess): AsyncIterableIterator<string> {
    if (child.stdout === null) throw new Error('no pipe')
    return createInterface(child.stdout)[Symbol.asyncIterator]()
}
