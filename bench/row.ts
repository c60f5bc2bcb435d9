// SPDX-License-Identifier: Apache-2.0
// What a row is: one number of ours beside its peer's; and the ways to run both that rows share.

import type { Context } from './context.js'
import { type Result, runPair } from './host/program.js'
import type { Better, Sample } from './statistics.js'

export interface Row {
    name: string
    unit: string
    better: Better
    /** The least ratio that we want to see. */
    target: number | null
    /** A fixed bound instead of a peer that runs. */
    bound?: number
}

export interface Group {
    rows: Row[]
    peer: string
    setup: string
    /** Runs of more than the usual number of seconds. */
    slow?: boolean
    ours?(context: Context): Promise<Record<string, Sample>>
    /** Absent: the peer is each row's bound. */
    theirs?(context: Context): Promise<Record<string, Sample>>
    /** In place of both: what was measured side by side in the run of that number. The ratio is the pairs'. */
    together?(
        context: Context,
        run: number,
    ): Promise<{ ours: Record<string, Sample>; theirs: Record<string, Sample> }[]>
}

export interface Latency {
    p50: number
    p99: number
    max: number
}

export const INLINE = { PRONGHORN_STACK_DRIVE: 'inline', PRONGHORN_LOG_LEVEL: 'warning' }

export function only(results: Result[], bench: string): Result {
    const result = results.find((one) => one.bench === bench)
    if (!result) throw new Error(`no result of "${bench}" among ${JSON.stringify(results)}`)
    return result
}

export const latencyOf = (result: Result) => result.latency_ns as Latency

/** Round trip in microseconds. */
export function roundTrip(result: Result): Sample {
    return { value: latencyOf(result).p50 / 1e3, p99: latencyOf(result).p99 / 1e3 }
}

/** Operations per second; the p99 is the rate at which 99 % of the operations went, or faster. */
export function rate(result: Result, perOperation = 1, scale = 1): Sample {
    return {
        value: (result.rate as number) * scale,
        p99: (perOperation * scale * 1e9) / latencyOf(result).p99,
    }
}

export type Args = Record<string, string | number>

/** Both ends on our stack, in two processes that a wire joins. */
export async function onWire(
    context: Context,
    name: string,
    args: Args,
    limit: number,
    settings: Args = {},
    offload = true,
) {
    const ends = context.wire({ ...INLINE, ...(settings as Record<string, string>) }, offload)
    const all = { address: ends.addressServer, limit, ...args }
    return runPair(
        context.program(name, 'pronghorn', 'server', all, { env: ends.server }),
        context.program(name, 'pronghorn', 'client', all, { env: ends.client }),
        limit,
    )
}

/** Both ends on the kernel, in two namespaces that a veth joins. */
export async function onVeth(context: Context, name: string, args: Args, limit: number, offload = true) {
    const pair = context.veth(offload ? 'plain' : 'bare', { offload, bareA: false })
    const all = { address: pair.addressA, limit, ...args }
    return runPair(
        context.program(name, 'kernel', 'server', all, { namespace: pair.a }),
        context.program(name, 'kernel', 'client', all, { namespace: pair.b }),
        limit,
    )
}

export function both(
    row: Row,
    setup: string,
    peer: string,
    name: string,
    args: Args,
    read: (result: Result) => Sample,
    extra: { offload?: boolean; settings?: Args } = {},
): Group {
    const sample = (run: { client: Result[] }) => ({ [row.name]: read(only(run.client, name)) })
    return {
        rows: [row],
        setup,
        peer,
        ours: async (context) => sample(await onWire(context, name, args, 60, extra.settings, extra.offload)),
        theirs: async (context) => sample(await onVeth(context, name, args, 60, extra.offload ?? true)),
    }
}
