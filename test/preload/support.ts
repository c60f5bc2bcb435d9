// SPDX-License-Identifier: Apache-2.0
// Unmodified programs under the shim, for test/preload and test/programs.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Result, type RunOptions, run } from '../../tools/net/commands.js'

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
