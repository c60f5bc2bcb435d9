// SPDX-License-Identifier: Apache-2.0
// The numbers as OpenMetrics text, or in the older form of Prometheus. Names come from the segment's own
// directory: rx_packets of a stack is pronghorn_rx_packets_total{pid,process,stack}; times become seconds.

import type { Field, Histogram, SegmentStats } from '../stats/index.js'

export type Format = 'openmetrics' | 'prometheus'
export const CONTENT_TYPES: Record<Format, string> = {
    openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
    prometheus: 'text/plain; version=0.0.4; charset=utf-8',
}

const escaped = (text: string) => text.replace(/[\\"]/g, (c) => `\\${c}`).replace(/\n/g, '\\n')
const nameOf = (field: Field) => `pronghorn_${field.name.replace(/_[nu]s$/, '_seconds')}`
const scaleOf = ({ name }: Field) => (/_ns$/.test(name) ? 1e-9 : /_us$/.test(name) ? 1e-6 : 1)

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

export function metricsText(all: SegmentStats[], format: Format = 'openmetrics'): string {
    const open = format === 'openmetrics'
    const fields = new Map<string, Field>()
    for (const { fields: own } of all) for (const field of own.stack) fields.set(field.name, field)
    const lines: string[] = []
    for (const field of fields.values()) {
        const name = nameOf(field)
        const type = field.kind === 'number' ? 'gauge' : field.kind
        if (type !== 'counter' && type !== 'gauge' && type !== 'histogram') continue
        // The older form names a counter as its sample, the newer one without the suffix.
        const family = type === 'counter' && !open ? `${name}_total` : name
        const scale = scaleOf(field)
        lines.push(`# TYPE ${family} ${type}`, `# HELP ${family} ${escaped(field.help)}`)
        for (const stats of all) {
            for (const { index, counters, gauges, histograms } of stats.stacks) {
                const own = labels(stats, index)
                const histogram = histograms[field.name]
                if (histogram) lines.push(...histogramLines(name, own, histogram, scale))
                else if (type === 'counter' && counters[field.name] !== undefined)
                    lines.push(`${name}_total{${own}} ${counters[field.name]! * scale}`)
                else if (gauges[field.name] !== undefined)
                    lines.push(`${name}{${own}} ${gauges[field.name]! * scale}`)
            }
        }
    }
    const about = open ? 'pronghorn_process' : 'pronghorn_process_info'
    lines.push(`# TYPE ${about} ${open ? 'info' : 'gauge'}`, `# HELP ${about} What the process is made of.`)
    for (const { process: about } of all)
        lines.push(
            `pronghorn_process_info{pid="${about.pid}",process="${escaped(about.name)}",version="${escaped(about.product)}"} 1`,
        )
    return `${lines.join('\n')}\n${open ? '# EOF\n' : ''}`
}
