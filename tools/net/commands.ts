// SPDX-License-Identifier: Apache-2.0
/* Running other programs: to their end with their output, or in the background until closed. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

export interface Result {
    status: number | null
    signal: NodeJS.Signals | null
    stdout: string
    stderr: string
    ms: number
}

export interface RunOptions extends SpawnOptions {
    timeoutMs?: number
    /* What to write to its standard input. */
    input?: string | Buffer
}

/* Runs to the end; never throws for a failing command. stdout is text (latin1 keeps bytes). */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<Result> {
    const { timeoutMs = 60_000, input, ...rest } = options
    const start = performance.now()
    const child = spawn(command, args, { ...rest, stdio: ['pipe', 'pipe', 'pipe'] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout?.on('data', (data: Buffer) => out.push(data))
    child.stderr?.on('data', (data: Buffer) => err.push(data))
    child.stdin?.on('error', () => {}) // it may end before it read everything
    child.stdin?.end(input)
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    const failure = new Promise<[null, null]>((resolve) => {
        child.on('error', (error) => {
            err.push(Buffer.from(`${error.message}\n`))
            resolve([null, null])
        })
    })
    const [status, signal] = (await Promise.race([once(child, 'close'), failure])) as [
        number | null,
        NodeJS.Signals | null,
    ]
    clearTimeout(timer)
    return {
        status,
        signal,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
        ms: performance.now() - start,
    }
}

/* Runs to the end and throws with the command's own words when it fails. Cold paths only. */
export function must(command: string, ...args: string[]): string {
    const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 30_000 })
    if (status !== 0) {
        throw new Error(
            `${command} ${args.join(' ')}: ${error?.message ?? stderr.trim() ?? `status ${status}`}`,
        )
    }
    return stdout
}

/* As must(), for clean-up: what is already gone is fine. */
export function tryRun(command: string, ...args: string[]): boolean {
    return spawnSync(command, args, { stdio: 'ignore', timeout: 30_000 }).status === 0
}

/* Ends a child and waits for it: SIGTERM, and SIGKILL when that does not help. */
export async function end(child: ChildProcess, graceMs = 5_000): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    await gone
    clearTimeout(timer)
}
