// SPDX-License-Identifier: Apache-2.0
// Programs as Debian ships them, unmodified, on our end of a wire; their clients on the kernel's end.
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { end } from '../../tools/net/commands.js'
import { makeWire, type Wire, whyNoWires } from '../../tools/net/wire.js'
import { type Environment, shim, skipWithout, startShimmed } from '../preload/support.js'

/* Skips the file without wires, the shim, or one of the programs. */
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
    probe: () => Promise<boolean>,
    env: Environment = {},
): Promise<Served> {
    const child = startShimmed(command, args, { PRONGHORN_PORT: wire.port, ...env })
    let text = ''
    child.stdout?.on('data', (data) => {
        text += data
    })
    child.stderr?.on('data', (data) => {
        text += data
    })
    for (const began = performance.now(); !(await probe()); await sleep(100)) {
        if (performance.now() - began > 30_000 || child.exitCode !== null)
            throw new Error(`${command} does not answer: ${text}`)
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

/* Without a word, as by the machine's power switch. */
export async function kill(served: Served): Promise<void> {
    const gone = once(served.child, 'exit')
    served.child.kill('SIGKILL')
    await gone
}

/* curl of the kernel's side: what it got. */
export async function fetchFrom(wire: Wire, url: string, ...more: string[]) {
    return wire.run('curl', ['-sS', '-k', '-m', '20', ...more, url])
}
