// SPDX-License-Identifier: Apache-2.0
import { red, short, table, yellow } from '../text.js'
import { showStats, type ViewOptions, viewCommand } from '../view.js'

/** Below this share the stack sets packets aside, and writers wait for chunks (docs/architecture.md). */
const LOW = 0.25

export const pools = () =>
    viewCommand('pools', 'packet buffers, send chunks and connection memory: used and free').action(
        (options: ViewOptions) =>
            showStats(
                options,
                ({ stacks, facts }) => ({
                    pools: stacks.flatMap(({ index, gauges }) => {
                        const fact = facts.stacks.find(({ id }) => id === index)
                        const pool = (name: string, size = 0, free = 0, setting = '') => ({
                            stack: index,
                            pool: name,
                            size,
                            free,
                            used: Math.max(0, size - free),
                            low: size > 0 && free < size * LOW,
                            setting,
                        })
                        return [
                            pool('packets', fact?.packets, gauges.packets_free, 'memory.packets'),
                            pool('chunks', fact?.chunks, gauges.chunks_free, 'memory.chunks'),
                        ]
                    }),
                    memory: stacks.map(({ index, gauges }) => ({
                        stack: index,
                        bytes: gauges.memory_used_bytes ?? 0,
                    })),
                }),
                (data) =>
                    [
                        table(
                            [
                                { head: 'STACK', value: (row) => row.stack, right: true },
                                { head: 'POOL', value: (row) => row.pool },
                                { head: 'SIZE', value: (row) => row.size, right: true },
                                { head: 'USED', value: (row) => row.used, right: true },
                                {
                                    head: 'FREE',
                                    value: (row) => row.free,
                                    right: true,
                                    paint: (n, row) => (row.free === 0 ? red(n) : row.low ? yellow(n) : n),
                                },
                                { head: 'SETTING', value: (row) => row.setting },
                            ],
                            data.pools,
                        ),
                        ...data.memory.map(
                            ({ stack, bytes }) =>
                                `stack ${stack}: ${short(bytes, 'B')} for connections and queues`,
                        ),
                    ].join('\n'),
            ),
    )
