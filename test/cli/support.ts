// SPDX-License-Identifier: Apache-2.0
// Runs the tool as users do (dist/cli.js), and processes for it to look at.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { settings } from '../lib/stack.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const tool = `${root}dist/cli.js`
const PATIENCE_MS = 120_000

export interface Outcome {
    code: number
    out: string
    err: string
}

export function pronghorn(...args: string[]): Promise<Outcome> {
    return new Promise((resolve) => {
        const env = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' }
        const options = { env, timeout: PATIENCE_MS, maxBuffer: 256 << 20 }
        execFile(process.execPath, [tool, ...args], options, (error, out, err) => {
            const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0
            resolve({ code, out, err })
        })
    })
}

/** The answer as JSON; throws with what the tool said when it failed. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
export async function json(...args: string[]): Promise<any> {
    const { code, out, err } = await pronghorn(...args, '--json')
    if (code !== 0) throw new Error(`pronghorn ${args.join(' ')} ended with ${code}: ${err}${out}`)
    return JSON.parse(out)
}

/** Asks again until it holds: numbers show within some milliseconds. Gives the last answer in any case. */
export async function eventually<T>(ask: () => Promise<T> | T, holds: (answer: T) => boolean): Promise<T> {
    for (let tries = 0; ; tries++) {
        const answer = await ask()
        if (holds(answer) || tries === 100) return answer
        await new Promise((resolve) => setTimeout(resolve, 20))
    }
}

export interface Hello {
    port: number
    own: number
    udp: number
    host: string
}

export class Target {
    readonly pid: number
    private constructor(
        private readonly child: ChildProcess,
        private readonly lines: AsyncIterator<string>,
        readonly hello: Hello,
    ) {
        this.pid = child.pid!
    }

    static async start(env: Record<string, string> = {}): Promise<Target> {
        const program = fileURLToPath(new URL('program.ts', import.meta.url))
        const child = spawn(process.execPath, ['--import', 'tsx', program], {
            env: { ...process.env, ...settings, NODE_OPTIONS: '', ...env },
            stdio: ['pipe', 'pipe', 'inherit'],
        })
        const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
        const first = await lines.next()
        if (first.done) throw new Error('the program that was to be looked at has ended')
        return new Target(child, lines, JSON.parse(first.value))
    }

    async tell(command: string): Promise<void> {
        this.child.stdin!.write(`${command}\n`)
        const answer = await this.lines.next()
        if (answer.done) throw new Error(`the program ended at: ${command}`)
    }

    signal(signal: NodeJS.Signals): void {
        this.child.kill(signal)
    }

    async end(signal?: NodeJS.Signals): Promise<number | null> {
        if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode
        const exit = once(this.child, 'exit')
        if (signal) this.child.kill(signal)
        else this.child.stdin!.end()
        return (await exit)[0]
    }
}
