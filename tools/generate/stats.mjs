#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/* node tools/generate/stats.mjs [--check]: docs/stats.md and grafana/pronghorn.json from
 * native/stats/counters.def. */
import { generate, markdownTable, readTable, rowsOf } from './lib/def.mjs'

const table = readTable('native/stats/counters.def')
const NAMES = ['name', 'unit', 'help']
const counters = rowsOf(table, 'COUNTER', NAMES)
const gauges = rowsOf(table, 'GAUGE', NAMES)
const histograms = rowsOf(table, 'HISTOGRAM', NAMES)
const chosen = rowsOf(table, 'CHOSEN', NAMES)
const sockets = rowsOf(table, 'SOCKET', ['name', 'type', 'kind', 'unit', 'help'])
const words = rowsOf(table, 'SOCKET_WORD', ['field', 'value', 'text'])

const isDrop = ({ name }) => name.startsWith('drop_')
const numbers = (rows) =>
    markdownTable(
        ['name', 'unit', 'what'],
        rows.map(({ name, unit, help }) => [`\`${name}\``, unit, help]),
    )

/* The dashboard: what belongs together in one panel; a row of the table that is in none of these makes
 * one of its own, so that a new counter is on it at once. */
const BY = '{process=~"$process"}'
const metric = (name) => `pronghorn_${name.replace(/_[nu]s$/, '_seconds')}`
const rate = ({ name }) => `sum by (process, stack) (rate(${metric(name)}_total${BY}[$__rate_interval]))`
const groups = [
    { title: 'Packets', unit: 'pps', names: ['rx_packets', 'tx_packets', 'rx_handed_over'] },
    {
        title: 'Bytes',
        unit: 'Bps',
        names: ['rx_bytes', 'tx_bytes', 'tx_copied_bytes', 'tx_referenced_bytes'],
    },
    {
        title: 'Drops of what came in',
        unit: 'pps',
        names: counters.filter(({ name }) => /^drop_rx/.test(name)),
    },
    {
        title: 'Drops of what should go out',
        unit: 'pps',
        names: counters.filter(({ name }) => /^drop_tx/.test(name)),
    },
    {
        title: 'Loss and repair',
        unit: 'ops',
        names: counters.filter(({ name }) => /^tcp_(retransmits|rto|fast|dup|out_of)/.test(name)),
    },
    {
        title: 'Connections',
        unit: 'ops',
        names: counters.filter(({ name }) => /^tcp_(connect|accept|close|reset|timeout|syn)/.test(name)),
    },
    {
        title: 'Windows and probes',
        unit: 'ops',
        names: counters.filter(({ name }) => /^tcp_(zero|persist|keepalive|challenge)/.test(name)),
    },
    { title: 'Segments', unit: 'pps', names: counters.filter(({ name }) => /^tcp_segments/.test(name)) },
    { title: 'Turns', unit: 'ops', names: counters.filter(({ name }) => /^turns/.test(name)) },
    {
        title: 'Sleeps and wake-ups',
        unit: 'ops',
        names: counters.filter(({ name }) => /^(sleeps|wakeups)/.test(name)),
    },
].map((group) => ({
    ...group,
    rows: group.names.map((row) =>
        typeof row === 'string' ? counters.find(({ name }) => name === row) : row,
    ),
}))
const grouped = new Set(groups.flatMap(({ rows }) => rows))
const target = (expr, legend) => ({ expr, legendFormat: `${legend} {{process}}/{{stack}}` })
const panels = [
    ...groups.map(({ title, unit, rows }) => ({
        title,
        unit,
        targets: rows.map((row) => target(rate(row), row.name)),
    })),
    ...histograms.map(({ name, unit, help }) => ({
        title: `${name}, p50 and p99`,
        description: help,
        unit: unit === 'ns' ? 's' : 'short',
        targets: [0.5, 0.99].map((share) =>
            target(
                `histogram_quantile(${share}, sum by (le, process, stack) (rate(${metric(name)}_bucket${BY}[$__rate_interval])))`,
                `p${share * 100}`,
            ),
        ),
    })),
    ...counters
        .filter((row) => !grouped.has(row))
        .map((row) => ({
            title: row.name,
            description: row.help,
            unit: 'ops',
            targets: [target(rate(row), row.name)],
        })),
    ...gauges.map(({ name, unit, help }) => ({
        title: name,
        description: help,
        unit: unit === 'bytes' ? 'bytes' : 'short',
        targets: [target(`${metric(name)}${BY}`, name)],
    })),
]
const datasource = { type: 'prometheus', uid: '${datasource}' }
const dashboard = {
    title: 'Pronghorn',
    uid: 'pronghorn',
    description: 'Made by tools/generate/stats.mjs from native/stats/counters.def.',
    schemaVersion: 39,
    refresh: '5s',
    time: { from: 'now-15m', to: 'now' },
    templating: {
        list: [
            { name: 'datasource', type: 'datasource', query: 'prometheus' },
            {
                name: 'process',
                type: 'query',
                datasource,
                query: 'label_values(pronghorn_process_info, process)',
                includeAll: true,
                multi: true,
                refresh: 2,
            },
        ],
    },
    panels: panels.map(({ title, description, unit, targets }, i) => ({
        id: i + 1,
        type: 'timeseries',
        title,
        ...(description && { description }),
        datasource,
        gridPos: { x: (i % 2) * 12, y: Math.floor(i / 2) * 8, w: 12, h: 8 },
        fieldConfig: { defaults: { unit }, overrides: [] },
        targets: targets.map((query, at) => ({ refId: String.fromCharCode(65 + at), datasource, ...query })),
    })),
}

generate({
    'grafana/pronghorn.json': `${JSON.stringify(dashboard, null, 2)}\n`,
    'docs/stats.md': `<!-- Made by tools/generate/stats.mjs from native/stats/counters.def: change it there. -->
# Statistics

Each process keeps its numbers in \`/dev/shm/pronghorn.<pid>\`, which its user and root can read. The file describes
itself (names, units, kinds, offsets), so a reader of another version works; \`pronghorn/stats\` is one that needs
neither the addon nor the process:

    import { listProcesses, readSegment } from 'pronghorn/stats'

    const [newest] = listProcesses()
    const { stacks, sockets } = readSegment(newest.pid)
    console.log(stacks[0].counters.rx_packets, stacks[0].histograms.turn_ns.quantile(0.99), sockets.length)

Counters only grow, from the start of the process; gauges are levels. Each number is whole; several numbers are of about
one moment. \`stats.enabled = off\` keeps them private to the process.

## Of each stack

${numbers(counters.filter((row) => !isDrop(row)))}
### Drops

Every packet that is dropped is counted in exactly one of these.

${numbers(counters.filter(isDrop))}
### Levels

${numbers(gauges)}
### Distributions

Log-linear histograms: at most 6 % between neighbouring values.

${numbers(histograms)}
## Of sockets that are measured by themselves

At most 16 at a time, chosen by \`pronghorn latency FILTER\`; distributions as above.

${numbers(chosen)}
## Of each socket

${markdownTable(
    ['name', 'kind', 'unit', 'what'],
    sockets.map(({ name, kind, unit, help }) => {
        const values = words.filter(({ field }) => field === name).map(({ text }) => `\`${text}\``)
        return [`\`${name}\``, kind, unit, values.length ? `${help} One of ${values.join(', ')}.` : help]
    }),
)}`,
})
