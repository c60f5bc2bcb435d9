// SPDX-License-Identifier: Apache-2.0
// Runs the two programs of a measurement: a server that says when it is ready, then a client. Ours
// print "ready" and their result as lines of JSON; of other programs the row says how to read them.
//
// Each gets a session of its own with the session's scheduling group raised: the kernel shares time
// between sessions first, so that nice alone would not keep other work off. No one outlives us: the
// programs ask for SIGKILL at their parent's death and have a time limit besides.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface Program {
    command: string
    args: string[]
    env?: Record<string, string> | undefined
    /** Network namespace to run in. */
    namespace?: string | undefined
    /** The line, on either output, by which it says that it serves: "ready" where nothing else is said. */
    ready?: RegExp
    /** Reads its result out of what it wrote; lines of JSON where nothing else is said. */
    read?(output: string): Result[]
}

export type Result = Record<string, unknown>

const running = new Set<ChildProcess>()

/** For a signal handler: nothing of ours stays. */
export function killAll(): void {
    for (const child of running) child.kill('SIGKILL')
}

interface Running {
    child: ChildProcess
    ready: Promise<void>
    done: Promise<Result[]>
}

function start(program: Program): Running {
    const inside = program.namespace ? ['ip', 'netns', 'exec', program.namespace] : []
    const command = [...inside, program.command, ...program.args]
    const raise = process.getuid?.() === 0 ? 'echo -19 2>/dev/null >/proc/self/autogroup || true; ' : ''
    // detached: setsid(), hence a scheduling group of its own.
    const child = spawn('sh', ['-c', `${raise}exec "$@"`, 'sh', ...command], {
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...program.env },
    })
    running.add(child)

    const what = `${program.command.split('/').at(-1)} ${program.args.join(' ')}`
    const results: Result[] = []
    let errors = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        errors = (errors + text).slice(-4000)
    })
    let output = ''
    let onReady = () => {}
    const ready = new Promise<void>((resolve) => {
        onReady = resolve
    })
    const isReady = program.ready ?? /^ready$/
    createInterface({ input: child.stderr! }).on('line', (line) => {
        if (isReady.test(line)) onReady()
    })
    createInterface({ input: child.stdout! }).on('line', (line) => {
        if (isReady.test(line)) onReady()
        else if (program.read) output += `${line}\n`
        else if (line.startsWith('{')) results.push(JSON.parse(line) as Result)
    })
    const done = new Promise<Result[]>((resolve, reject) => {
        child.once('error', reject)
        child.once('close', (code, signal) => {
            running.delete(child)
            if (code === 0) resolve(results.concat(program.read?.(output) ?? []))
            else reject(new Error(`${what}: ${signal ?? `exit status ${code}`}\n${errors.trim()}`))
        })
    })
    return { child, ready, done }
}

async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what} took more than ${ms / 1000} s`)), ms)
    })
    try {
        return await Promise.race([promise, late])
    } finally {
        clearTimeout(timer)
    }
}

/** One program by itself. */
export async function runAlone(program: Program, limitSeconds: number): Promise<Result[]> {
    const alone = start(program)
    try {
        return await within(limitSeconds * 1000, program.command, alone.done)
    } finally {
        alone.child.kill('SIGKILL')
    }
}

/**
 * The client's results, then the server's. The server is asked to stop once the client is done. `before`: a
 * client that only warms the server up; it runs to its end first.
 */
export async function runPair(
    server: Program,
    client: Program,
    limitSeconds: number,
    before?: Program,
): Promise<{ client: Result[]; server: Result[] }> {
    const first = start(server)
    first.done.catch(() => {}) // reported below, whenever it comes
    let second: Running | undefined
    try {
        await within(
            20_000,
            `${server.command} to be ready`,
            Promise.race([first.ready, first.done.then(failEarly)]),
        )
        const served = first.done.then(
            () => new Promise<never>(() => {}),
            (error) => Promise.reject(error),
        )
        const results: Result[] = []
        for (const one of before ? [before, client] : [client]) {
            second = start(one)
            const told = await within(limitSeconds * 1000, one.command, Promise.race([second.done, served]))
            if (one === client) results.push(...told)
        }
        first.child.kill('SIGTERM')
        return { client: results, server: await within(10_000, `${server.command} to stop`, first.done) }
    } finally {
        second?.done.catch(() => {})
        second?.child.kill('SIGKILL')
        first.child.kill('SIGKILL')
    }
}

function failEarly(): never {
    throw new Error('the server ended before it was ready')
}
