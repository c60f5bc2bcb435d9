// SPDX-License-Identifier: Apache-2.0
// Made by tools/generate/config.mjs from native/base/trace.def: change it there.

/** What can be noted of a stack. */
export interface TracePoint {
    /** As trace.points has it. */
    word: string
    /** The names of its two values. */
    values: readonly [string, string]
}

/** All of them, in the order of their numbers. */
export const tracePoints: readonly TracePoint[] = [
    { word: 'state', values: ['before', 'after'] },
    { word: 'retransmit', values: ['acked', 'retries'] },
    { word: 'rto', values: ['rto_us', 'retries'] },
    { word: 'accept', values: ['queued', 'backlog'] },
    { word: 'drop', values: ['reason', 'packets'] },
    { word: 'slow-turn', values: ['turn_ns', 'work'] },
    { word: 'sleep', values: ['planned_us', 'nap_us'] },
    { word: 'wake', values: ['slept_us', 'by'] },
]
