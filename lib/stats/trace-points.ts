// SPDX-License-Identifier: Apache-2.0
// Made by tools/generate/config.mjs from native/base/trace.def: change it there.

/** What can be noted of a stack: its word, and the names of its two values. */
export const tracePoints: readonly { word: string; values: readonly [string, string] }[] = [
    { word: 'state', values: ['before', 'after'] },
    { word: 'retransmit', values: ['acked', 'retries'] },
    { word: 'rto', values: ['rto_us', 'retries'] },
    { word: 'accept', values: ['queued', 'backlog'] },
    { word: 'drop', values: ['reason', 'packets'] },
    { word: 'slow-turn', values: ['turn_ns', 'work'] },
    { word: 'sleep', values: ['planned_us', 'nap_us'] },
    { word: 'wake', values: ['slept_us', 'by'] },
]
