// SPDX-License-Identifier: Apache-2.0
// Why something is slow: what the numbers of one second, and of the process's life, point to, each with
// the setting or the command that mends it.

import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { SegmentStats } from '../stats/index.js'
import { EXPECTED_DROPS, REMEDIES } from './drops.js'
import { type Cores, dropCause, type Finding, setting } from './finding.js'
import { hopsOf, nodesOf, ofSockets } from './findings-sockets.js'
import { ofStack } from './findings-stack.js'
import { heldUp, ofThreads, type Waits } from './findings-threads.js'
import { lateAcks } from './late-acks.js'
import { coreOf, nodeOf } from './machine.js'
import { between, type Moment, momentOf } from './sample.js'
import { cyan, green, short, yellow } from './text.js'
import type { ViewOptions } from './view.js'

const CORES: Cores = { ofThread: coreOf, nodeOf, count: availableParallelism() }

function ofPorts(stats: SegmentStats): Finding[] {
    const found: Finding[] = []
    const lines = (setting(stats, 'port') ?? '').split(';')
    stats.facts.ports.forEach((port, i) => {
        const add = (what: string, remedy: string) =>
            found.push({ cause: 'offloads', about: `port ${port.id} ${port.name}`, what, remedy })
        if (/,offload=off\b/.test(lines[i] ?? ''))
            add(
                'offload=off: the stack does itself what the device could do',
                'offload=on in its port line, and pronghorn show ports for what that gives',
            )
        if (port.queues > 1 && port.offloads_missing.includes('rx-rss'))
            add(
                'it does not spread flows by itself: packets cross from stack to stack in software',
                'one stack (stack.cores), or a card with RSS',
            )
        if (port.offloads_missing.includes('tx-scatter'))
            add(
                'it takes packets in one piece only: each is copied',
                'a device with tx-scatter (pronghorn show ports)',
            )
    })
    return found
}

/** What was dropped before anybody looked. */
function ofLife(stats: SegmentStats): Finding[] {
    const sums = new Map<string, number>()
    for (const { counters } of stats.stacks)
        for (const [name, value] of Object.entries(counters))
            if (name.startsWith('drop_') && !EXPECTED_DROPS.test(name) && value > 0)
                sums.set(name, (sums.get(name) ?? 0) + value)
    return [...sums].map(([name, value]) => {
        const help = stats.fields.stack.find((field) => field.name === name)?.help ?? ''
        return {
            cause: dropCause(name),
            about: 'process',
            what: `${short(value)} packets were dropped since its start: ${help || name}`,
            remedy: REMEDIES[name] ?? 'pronghorn drops',
        }
    })
}

function ofProcess(stats: SegmentStats, cores: Cores): Finding[] {
    const { facts, stacks } = stats
    if (stacks.length < cores.count || !facts.stacks.some(({ drive }) => drive === 'dedicated')) return []
    return [
        {
            cause: 'shared-core',
            about: 'process',
            what: `${stacks.length} dedicated stacks on ${cores.count} cores: they and the application take turns on a core`,
            remedy: 'fewer stacks (stack.cores), or stack.drive = inline',
        },
    ]
}

/** What two moments say; `waited`: how long the kernel let threads wait meanwhile. */
export function look(
    before: Moment,
    after: Moment,
    waited: Waits = new Map(),
    fd?: number,
    cores: Cores = CORES,
): Finding[] {
    const { stats } = after
    const own = fd === undefined ? undefined : stats.sockets.find((row) => row.fd === fd)
    const late = lateAcks(before, after)
    const lateOf = (stack: number) =>
        stats.sockets.reduce((sum, row) => sum + (row.stack === stack ? (late.get(row.id) ?? 0) : 0), 0)
    const stacks = between(before, after)
        .filter(({ stack }) => fd === undefined || stack === own?.stack)
        .flatMap(({ stack, rates }) =>
            ofStack(stats, stack, rates, lateOf(stack), waited.get(stats.stacks[stack]?.gauges.thread ?? 0)),
        )
    const named = new Set(stacks.map(({ remedy }) => remedy))
    const whole = () => [
        ...ofProcess(stats, cores),
        ...ofPorts(stats),
        ...stacks,
        ...nodesOf(stats, cores),
        // (What goes on is named with its rate.)
        ...ofLife(stats).filter(({ remedy }) => !named.has(remedy)),
    ]
    return [
        ...(fd === undefined ? whole() : [...hopsOf(stats, fd, cores), ...stacks]),
        ...ofThreads(own ? [own] : stats.sockets, waited),
        ...ofSockets(stats, new Set(stacks.map(({ cause }) => cause)), late, fd),
    ]
}

/** What hinders a process, or one descriptor of it; throws when its numbers cannot be read. */
export async function findingsOf(
    options: ViewOptions,
    interval: number,
    fd?: number,
): Promise<{ stats: SegmentStats; findings: Finding[] }> {
    const before = momentOf(options, { sockets: true })
    const { stats } = before
    const threads = new Set([
        ...stats.stacks.map(({ gauges }) => gauges.thread ?? 0),
        ...stats.sockets.map(({ owner }) => Number(owner)),
    ])
    threads.delete(0)
    const held = heldUp(stats.process.pid, threads)
    await delay(interval * 1000)
    const after = momentOf(options, { sockets: true })
    return { stats: after.stats, findings: look(before, after, held(), fd) }
}

export const findingsText = (findings: Finding[]) =>
    findings.length === 0
        ? green('Nothing is in its way.')
        : findings
              .map(({ about, what, remedy }) => `${yellow(about)}: ${what}\n    ${cyan(`-> ${remedy}`)}`)
              .join('\n')
