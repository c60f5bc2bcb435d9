// SPDX-License-Identifier: Apache-2.0
// Programs as Debian ships them, unmodified, on our end of a wire; their clients on the kernel's end.
import { type ChildProcess, type SpawnOptions, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { end } from '../../tools/net/commands.js'
import { type BarePair, makeBarePair, type Wire } from '../../tools/net/wire.js'
import { type Environment, startShimmed } from '../preload/support.js'

export { start } from '../preload/support.js'

/* Both ends for processes of ours. */
export function startPair(): BarePair {
    const pair = makeBarePair()
    t.teardown(() => pair.close())
    return pair
}

/* A program or module beside the tests. */
export const fixture = (name: string) => fileURLToPath(new URL(`fixture/${name}`, import.meta.url))

/* A Node of that version: from npm, if it can be had. */
export function nodeOf(major: number): string | undefined {
    if (process.version.startsWith(`v${major}.`)) return process.execPath
    const where = fileURLToPath(new URL(`../../.cache/node${major}`, import.meta.url))
    const name = `node-linux-${process.arch}`
    const binary = join(where, 'node_modules', name, 'bin', 'node')
    if (!existsSync(binary)) {
        mkdirSync(where, { recursive: true })
        writeFileSync(join(where, 'package.json'), '{ "private": true }\n')
        const npm = ['npm', 'install', '--no-audit', '--no-fund', `${name}@${major}`]
        spawnSync('env', ['-u', 'NODE_OPTIONS', ...npm], { cwd: where, timeout: 300_000 })
    }
    return existsSync(binary) ? binary : undefined
}

/* A folder of its own for the file, for data and settings. */
export function scratch(): string {
    const folder = mkdtempSync(join(tmpdir(), 'pronghorn-programs-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    return folder
}

export interface Served {
    child: ChildProcess
    /* What it wrote so far. */
    said(): string
    stop(): Promise<number | null>
}

/* A server of ours, once `probe` succeeds. */
export async function serve(
    wire: Wire,
    command: string,
    args: string[],
    probe: (said: string) => Promise<boolean> | boolean,
    env: Environment = {},
    options: SpawnOptions = {},
): Promise<Served> {
    const child = startShimmed(command, args, { PRONGHORN_PORT: wire.port, ...env }, options)
    t.teardown(() => kill({ child }))
    let text = ''
    child.stdout?.on('data', (data) => {
        text += data
    })
    child.stderr?.on('data', (data) => {
        text += data
    })
    for (const began = performance.now(); !(await probe(text)); await sleep(100)) {
        if (performance.now() - began < 30_000 && child.exitCode === null) continue
        await end(child) // the next one may want its port
        throw new Error(`${command} does not answer: ${text.slice(-2000)}`)
    }
    return {
        child,
        said: () => text,
        async stop() {
            await end(child)
            return child.exitCode
        },
    }
}

export function childrenOf(pid: number | undefined): number[] {
    const { stdout } = spawnSync('pgrep', ['-P', `${pid}`], { encoding: 'utf8' })
    return stdout.split('\n').filter(Boolean).map(Number)
}

/* Without a word, as by the machine's power switch; its workers too. */
export async function kill({ child }: { child: ChildProcess }): Promise<void> {
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    const workers = childrenOf(child.pid)
    child.kill('SIGKILL')
    for (const pid of workers) {
        try {
            process.kill(pid, 'SIGKILL')
        } catch {
            // It ended by itself.
        }
    }
    await gone
}

/* Whether it comes true; the deadline only ends a hang. */
export async function until(what: () => Promise<boolean> | boolean, ms = 30_000): Promise<boolean> {
    for (const began = performance.now(); performance.now() - began < ms; await sleep(50))
        if (await what()) return true
    return false
}

/* curl of the kernel's side: what it got. */
export async function fetchFrom(wire: Wire, url: string, ...more: string[]) {
    return wire.run('curl', ['-sS', '-k', '-m', '20', ...more, url])
}
