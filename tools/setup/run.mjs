// SPDX-License-Identifier: Apache-2.0
/* Steps and commands of the set-up: one short line each, the full log only when one fails. */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const logs = join(root, 'build', 'logs')
const LOG_LINES = 400

/* An error whose message is all that the user needs; no stack is printed. */
export class SetupError extends Error {}

/*
 * Runs `command` with its output in build/logs/<name>.log and resolves to its exit code. On failure
 * the log is printed and SetupError thrown, unless `mayFail`.
 */
export function run(name, command, { env = process.env, cwd = root, mayFail = false, hint = '' } = {}) {
    mkdirSync(logs, { recursive: true })
    const file = join(logs, `${name}.log`)
    const log = openSync(file, 'w')
    return new Promise((resolve, reject) => {
        const child = spawn(command[0], command.slice(1), { cwd, env, stdio: ['ignore', log, log] })
        const finish = (code) => {
            closeSync(log)
            if (code === 0 || mayFail) return resolve(code)
            const lines = readFileSync(file, 'utf8').split('\n')
            if (lines.length > LOG_LINES)
                console.error(`... ${lines.length - LOG_LINES} lines more in ${file}`)
            console.error(lines.slice(-LOG_LINES).join('\n'))
            reject(new SetupError(`"${command.join(' ')}" failed (${code}).${hint ? ` ${hint}` : ''}`))
        }
        child.on('error', (error) => finish(error.code))
        child.on('exit', (code, signal) => finish(code ?? signal))
    })
}

/* Runs one step; prints its name, and its time when it took long enough to notice. */
export async function step(name, work) {
    const start = performance.now()
    const quiet = process.env.PRONGHORN_SETUP_QUIET === '1'
    let said = false
    await work({
        note(text) {
            said = true
            console.log(`setup: ${name}: ${text}`)
        },
    })
    const seconds = (performance.now() - start) / 1000
    if (said || (!quiet && seconds > 2)) console.log(`setup: ${name}: done in ${seconds.toFixed(1)} s`)
}
