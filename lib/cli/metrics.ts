// SPDX-License-Identifier: Apache-2.0
// The numbers as OpenMetrics text. Names come from the segment's own directory: rx_packets of a stack
// is pronghorn_rx_packets_total{pid,process,stack}; times in ns become seconds.

import type { Field, Histogram, SegmentStats } from '../stats/index.js'

export const CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

const escaped = (text: string) => text.replace(/[\\"]/g, (c) => `\\${c}`).replace(/\n/g, '\\n')
const nameOf = (field: Field) => `pronghorn_${field.name.replace(/_ns$/, '_seconds')}`

function labels(stats: SegmentStats, stack: number): string {
    const { pid, name } = stats.process
    return `pid="${pid}",process="${escaped(name)}",stack="${stack}"`
}

/** Cumulative, with a bound at each power of two that something lies below. */
function histogramLines(name: string, own: string, histogram: Histogram, scale: number): string[] {
    const bounds = new Map<number, number>()
    let below = 0
    for (const { high, count } of histogram.buckets) {
        below += count
        bounds.set(2 ** Math.ceil(Math.log2(high)), below)
    }
    return [
        ...[...bounds].map(([bound, count]) => `${name}_bucket{${own},le="${bound * scale}"} ${count}`),
        `${name}_bucket{${own},le="+Inf"} ${histogram.count}`,
        `${name}_count{${own}} ${histogram.count}`,
        `${name}_sum{${own}} ${histogram.sum * scale}`,
    ]
}

export function openMetrics(all: SegmentStats[]): string {
    const fields = new Map<string, Field>()
    for (const { fields: own } of all) for (const field of own.stack) fields.set(field.name, field)
    const lines: string[] = []
    for (const field of fields.values()) {
        const name = nameOf(field)
        const type = field.kind === 'number' ? 'gauge' : field.kind
        if (type !== 'counter' && type !== 'gauge' && type !== 'histogram') continue
        lines.push(`# TYPE ${name} ${type}`, `# HELP ${name} ${escaped(field.help)}`)
        for (const stats of all) {
            for (const { index, counters, gauges, histograms } of stats.stacks) {
                const own = labels(stats, index)
                const histogram = histograms[field.name]
                if (histogram)
                    lines.push(...histogramLines(name, own, histogram, /_ns$/.test(field.name) ? 1e-9 : 1))
                else if (type === 'counter' && counters[field.name] !== undefined)
                    lines.push(`${name}_total{${own}} ${counters[field.name]}`)
                else if (gauges[field.name] !== undefined) lines.push(`${name}{${own}} ${gauges[field.name]}`)
            }
        }
    }
    lines.push('# TYPE pronghorn_process info', '# HELP pronghorn_process What the process is made of.')
    for (const { process: about } of all)
        lines.push(
            `pronghorn_process_info{pid="${about.pid}",process="${escaped(about.name)}",version="${escaped(about.product)}"} 1`,
        )
    return `${lines.join('\n')}\n# EOF\n`
}

const panels: [title: string, unit: string, ...expressions: string[]][] = [
    ['Packets', 'pps', 'rate(pronghorn_rx_packets_total[1m])', 'rate(pronghorn_tx_packets_total[1m])'],
    ['Bytes', 'Bps', 'rate(pronghorn_rx_bytes_total[1m])', 'rate(pronghorn_tx_bytes_total[1m])'],
    ['Drops', 'pps', '{__name__=~"pronghorn_drop_.*_total"}'],
    ['Retransmissions', 'cps', 'rate(pronghorn_tcp_retransmits_total[1m])'],
    [
        'Port to read, p99',
        's',
        'histogram_quantile(0.99, sum by (le, process, stack) (rate(pronghorn_rx_wait_seconds_bucket[1m])))',
    ],
    [
        'Write to port, p99',
        's',
        'histogram_quantile(0.99, sum by (le, process, stack) (rate(pronghorn_tx_wait_seconds_bucket[1m])))',
    ],
    ['Sockets', 'short', 'pronghorn_sockets_tcp', 'pronghorn_sockets_udp', 'pronghorn_sockets_time_wait'],
    ['Free buffers', 'short', 'pronghorn_packets_free', 'pronghorn_chunks_free'],
]

export function dashboard(): object {
    return {
        title: 'Pronghorn',
        uid: 'pronghorn',
        schemaVersion: 39,
        refresh: '5s',
        time: { from: 'now-15m', to: 'now' },
        templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
        panels: panels.map(([title, unit, ...expressions], i) => ({
            id: i + 1,
            type: 'timeseries',
            title,
            datasource: { type: 'prometheus', uid: '${datasource}' },
            gridPos: { x: (i % 2) * 12, y: Math.floor(i / 2) * 8, w: 12, h: 8 },
            fieldConfig: { defaults: { unit }, overrides: [] },
            targets: expressions.map((expr, at) => ({ refId: String.fromCharCode(65 + at), expr })),
        })),
    }
}
