// SPDX-License-Identifier: Apache-2.0
import { short, table } from '../text.js'
import { showStats, type ViewOptions, viewCommand } from '../view.js'

export const queues = () =>
    viewCommand('queues', 'the queue pair of each stack: packets, bursts, what the device refused').action(
        (options: ViewOptions) =>
            showStats(
                options,
                ({ stacks, facts }) => ({
                    queues: stacks.map(({ index, counters, histograms }) => {
                        const burst = histograms.rx_burst_packets
                        return {
                            stack: index,
                            ports: (facts.stacks.find(({ id }) => id === index)?.ports ?? []).map(
                                (id) => facts.ports.find((port) => port.id === id)?.name ?? `${id}`,
                            ),
                            rx_packets: counters.rx_packets ?? 0,
                            rx_bytes: counters.rx_bytes ?? 0,
                            rx_bursts: counters.rx_bursts ?? 0,
                            rx_burst_p50: burst?.quantile(0.5) ?? 0,
                            rx_burst_p99: burst?.quantile(0.99) ?? 0,
                            rx_dropped: counters.drop_rx_device ?? 0,
                            tx_packets: counters.tx_packets ?? 0,
                            tx_bytes: counters.tx_bytes ?? 0,
                            tx_bursts: counters.tx_bursts ?? 0,
                            tx_refused: counters.tx_refused ?? 0,
                            tx_dropped: counters.drop_tx_ring_full ?? 0,
                        }
                    }),
                }),
                (data) =>
                    table(
                        [
                            { head: 'STACK', value: (row) => row.stack, right: true },
                            { head: 'PORTS', value: (row) => row.ports.join(',') || '-' },
                            { head: 'RX', value: (row) => short(row.rx_packets), right: true },
                            {
                                head: 'BURST',
                                value: (row) => `${row.rx_burst_p50}/${row.rx_burst_p99}`,
                                right: true,
                            },
                            { head: 'RXDROP', value: (row) => short(row.rx_dropped), right: true },
                            { head: 'TX', value: (row) => short(row.tx_packets), right: true },
                            {
                                head: 'BURST',
                                value: (row) =>
                                    row.tx_bursts ? (row.tx_packets / row.tx_bursts).toFixed(1) : '-',
                                right: true,
                            },
                            { head: 'REFUSED', value: (row) => short(row.tx_refused), right: true },
                            { head: 'TXDROP', value: (row) => short(row.tx_dropped), right: true },
                        ],
                        data.queues,
                    ),
            ),
    )
