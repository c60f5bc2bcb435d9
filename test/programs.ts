// SPDX-License-Identifier: Apache-2.0
/*
 * C test programs as part of the tap run: each is spawned, and the TAP that it prints becomes a
 * subtest, so that one total counts everything.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'

const root = new URL('..', import.meta.url).pathname
/* A program that hangs is a failure, not the end of the run. */
const PROGRAM_TIMEOUT_MS = 240_000

/* Executable files of build/<preset>/tests whose name matches. */
export function programsOf(preset: string, names: RegExp): string[] {
    const folder = join(root, 'build', preset, 'tests')
    if (!existsSync(folder)) return []
    return readdirSync(folder)
        .filter((name) => names.test(name))
        .map((name) => join(folder, name))
        .filter((path) => statSync(path).isFile() && (statSync(path).mode & 0o111) !== 0)
        .sort()
}

export async function runPrograms(preset: string, names: RegExp, env: NodeJS.ProcessEnv = {}) {
    const programs = programsOf(preset, names)
    if (programs.length === 0) {
        t.comment(`no programs in build/${preset}/tests: run npm run setup`)
        t.plan(0, 'not built')
        return
    }
    for (const program of programs) {
        await t.spawn(program, [], {
            name: `${basename(program)} (${preset})`,
            cwd: root,
            env: { ...process.env, ...env },
            timeout: PROGRAM_TIMEOUT_MS,
        })
    }
}
