// SPDX-License-Identifier: Apache-2.0
// What a process costs that does nothing.

import type { Context } from '../context.js'
import { type Result, runPair } from '../host/program.js'
import { type Group, only } from '../row.js'
import type { Sample } from '../statistics.js'

/** Two processes with a dedicated adaptive stack each, as by default, that a wire joins; idle. */
async function life(context: Context, hugepages: 'auto' | 'off'): Promise<Result[]> {
    const ends = context.wire({ PRONGHORN_MEMORY_HUGEPAGES: hugepages, PRONGHORN_LOG_LEVEL: 'warning' })
    const { seconds } = context.options
    // Both measure while the other is there: the server once its peer has come, and it stays until asked to end.
    const server = context.program(
        'life',
        'pronghorn',
        'server',
        { limit: 30, warmup: 2 },
        { env: ends.server },
    )
    const times = { limit: 30, warmup: 2, seconds }
    const client = context.program('life', 'pronghorn', 'client', times, { env: ends.client })
    const run = await runPair(server, client, 30)
    return [only(run.server, 'life'), only(run.client, 'life')]
}

export const lifeRow: Group = {
    rows: [
        { name: 'c.start', unit: 'ms', better: 'lower', target: 1, bound: 300 },
        { name: 'c.idle', unit: '% core', better: 'lower', target: 1, bound: 1 },
        { name: 'c.memory', unit: 'MiB', better: 'lower', target: 1, bound: 128 },
        { name: 'c.memory.nohuge', unit: 'MiB', better: 'lower', target: 1, bound: 64 },
    ],
    setup: 'two processes with one dedicated adaptive stack and a listener each, nothing happening; the worse of the two (start: the one that waits for no peer)',
    peer: 'the bound we set ourselves',
    ours: async (context) => {
        const huge = await life(context, 'auto')
        const small = await life(context, 'off')
        const worse = (results: Result[], key: string) =>
            Math.max(...results.map((one) => one[key] as number))
        const sample = (value: number): Sample => ({ value, p99: null })
        return {
            'c.start': sample(huge[0]!.start_ms as number),
            'c.idle': sample(Math.max(worse(huge, 'idle_cpu_percent'), worse(small, 'idle_cpu_percent'))),
            'c.memory': sample(worse(huge, 'memory_bytes') / 2 ** 20),
            'c.memory.nohuge': sample(worse(small, 'memory_bytes') / 2 ** 20),
        }
    },
}
