// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs'
import type { SegmentStats, StackStats } from '../../stats/index.js'
import { isStopped } from '../../stats/life.js'
import { hungMs } from '../banner.js'
import { type Column, short, table } from '../text.js'
import { showStats, type ViewOptions, viewCommand } from '../view.js'

/** The thread that drives a stack, as the kernel names it. */
export function threadName(pid: number, thread: number): string {
    if (!thread) return "the application's"
    try {
        return readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').trim()
    } catch {
        return `${thread}`
    }
}

function rowOf(stats: SegmentStats, stack: StackStats) {
    const fact = stats.facts.stacks.find(({ id }) => id === stack.index)
    const { counters, gauges } = stack
    return {
        stack: stack.index,
        drive: fact?.drive ?? '',
        core: (gauges.core ?? 0) - 1,
        numa_node: fact?.numa_node ?? 0,
        thread: gauges.thread ?? 0,
        thread_name: threadName(stats.process.pid, gauges.thread ?? 0),
        sleeping: (gauges.sleeping ?? 0) !== 0,
        hung_ms: stats.process.alive && !isStopped(stats.process.pid) ? hungMs(stack) : 0,
        ports: fact?.ports ?? [],
        sockets_tcp: gauges.sockets_tcp ?? 0,
        sockets_udp: gauges.sockets_udp ?? 0,
        sockets_time_wait: gauges.sockets_time_wait ?? 0,
        packets: fact?.packets ?? 0,
        packets_free: gauges.packets_free ?? 0,
        chunks: fact?.chunks ?? 0,
        chunks_free: gauges.chunks_free ?? 0,
        rx_packets: counters.rx_packets ?? 0,
        tx_packets: counters.tx_packets ?? 0,
        drops: Object.entries(counters).reduce(
            (sum, [name, value]) => sum + (name.startsWith('drop_') ? value : 0),
            0,
        ),
        retransmits: counters.tcp_retransmits ?? 0,
        turns: counters.turns ?? 0,
        sleeps: counters.sleeps ?? 0,
    }
}
type Row = ReturnType<typeof rowOf>

const columns: Column<Row>[] = [
    { head: 'STACK', value: (row) => row.stack, right: true },
    { head: 'DRIVE', value: (row) => row.drive },
    { head: 'CORE', value: (row) => (row.core < 0 ? '-' : row.core), right: true },
    { head: 'NODE', value: (row) => row.numa_node, right: true },
    { head: 'THREAD', value: (row) => row.thread_name },
    { head: 'PORTS', value: (row) => row.ports.join(',') || '-' },
    { head: 'TCP', value: (row) => row.sockets_tcp, right: true },
    { head: 'UDP', value: (row) => row.sockets_udp, right: true },
    { head: 'RX', value: (row) => short(row.rx_packets), right: true },
    { head: 'TX', value: (row) => short(row.tx_packets), right: true },
    { head: 'DROPS', value: (row) => short(row.drops), right: true },
    { head: 'RETRANS', value: (row) => short(row.retransmits), right: true },
]

export const stacks = () =>
    viewCommand('stacks', 'the stacks of a process: who drives them, what they hold').action(
        (options: ViewOptions) =>
            showStats(
                options,
                (stats) => ({ stacks: stats.stacks.map((stack) => rowOf(stats, stack)) }),
                (data) => table(columns, data.stacks),
            ),
    )
