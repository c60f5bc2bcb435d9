// SPDX-License-Identifier: Apache-2.0
/*
 * The C programs of this folder (end.c, built on the kernel's calls and on ours): servers and clients
 * on either side of a wire, as processes of their own. What one of ours writes to stderr is a failure:
 * at its stop it complains of every buffer that did not come home.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { end } from '../../../tools/net/commands.js'
import { type Wire, whyNoWires } from '../../../tools/net/wire.js'

const preset = process.env.PRONGHORN_TEST_PRESET ?? 'release'
const folder = fileURLToPath(new URL(`../../../build/${preset}/net/`, import.meta.url))

export type Side = 'ours' | 'kernel'
export type Environment = Record<string, string>

export interface Told {
    ok: number
    failed: number
    error: string
    ms: number
    lost: number
    altered: number
    open: number
    stderr: string
    status: number | null
}

export interface End {
    child: ChildProcess
    /* Resolves when it said "ready". */
    ready: Promise<void>
    /* What it said at its end; it ends by itself, or by stop(). */
    told: Promise<Told>
    stop(): Promise<Told>
}

export function skipWithoutEnds(): void {
    const why =
        whyNoWires() ?? (existsSync(`${folder}end.pronghorn`) ? undefined : `no programs in ${folder}`)
    if (why === undefined) return
    t.plan(0, why)
    process.exit(0)
}

export function program(name: string): string {
    return folder + name
}

function follow(child: ChildProcess): End {
    let line = '{}'
    let stderr = ''
    let isReady = () => {}
    const ready = new Promise<void>((resolve) => {
        isReady = resolve
    })
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
        if (text === 'ready') isReady()
        else line = text
    })
    child.stderr?.on('data', (data) => {
        stderr += data
    })
    const told = once(child, 'close').then(([status]) => {
        isReady() // a server that failed must not be waited for
        return { ...JSON.parse(line), stderr, status } as Told
    })
    return {
        child,
        ready,
        told,
        async stop() {
            await end(child)
            return told
        },
    }
}

export function startEnd(wire: Wire, side: Side, args: (string | number)[], env: Environment = {}): End {
    const texts = args.map(String)
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
    if (side === 'kernel') return follow(wire.spawn(program('end.kernel'), texts, { stdio }))
    const ours = { PRONGHORN_PORT: wire.port, PRONGHORN_LOG_LEVEL: 'warning', ...env }
    const where = wire.home ? ['ip', 'netns', 'exec', wire.home] : [] // becomes the program
    const [command, ...rest] = [...where, program('end.pronghorn'), ...texts] as [string, ...string[]]
    const child = spawn(command, rest, { stdio, env: { ...process.env, ...ours } })
    t.teardown(() => child.kill('SIGKILL'))
    return follow(child)
}

export async function serve(wire: Wire, side: Side, port: number, env: Environment = {}): Promise<End> {
    const server = startEnd(wire, side, ['serve', '::', port], env)
    await server.ready
    return server
}

export interface Work {
    what: string
    count?: number
    bytes?: number
    atOnce?: number
    ms?: number
}

export function startClient(
    wire: Wire,
    side: Side,
    to: string,
    port: number,
    work: Work,
    env: Environment = {},
) {
    const { what, count = 1, bytes = 1000, atOnce = 1, ms = 1000 } = work
    return startEnd(wire, side, ['client', to, port, what, count, bytes, atOnce, ms], env)
}
