#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/* node tools/generate/stats.mjs [--check]: docs/stats.md from native/stats/counters.def. */
import { generate, markdownTable, readTable, rowsOf } from './lib/def.mjs'

const table = readTable('native/stats/counters.def')
const NAMES = ['name', 'unit', 'help']
const counters = rowsOf(table, 'COUNTER', NAMES)
const gauges = rowsOf(table, 'GAUGE', NAMES)
const histograms = rowsOf(table, 'HISTOGRAM', NAMES)
const sockets = rowsOf(table, 'SOCKET', ['name', 'type', 'kind', 'unit', 'help'])
const words = rowsOf(table, 'SOCKET_WORD', ['field', 'value', 'text'])

const isDrop = ({ name }) => name.startsWith('drop_')
const numbers = (rows) =>
    markdownTable(
        ['name', 'unit', 'what'],
        rows.map(({ name, unit, help }) => [`\`${name}\``, unit, help]),
    )

generate({
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
## Of each socket

${markdownTable(
    ['name', 'kind', 'unit', 'what'],
    sockets.map(({ name, kind, unit, help }) => {
        const values = words.filter(({ field }) => field === name).map(({ text }) => `\`${text}\``)
        return [`\`${name}\``, kind, unit, values.length ? `${help} One of ${values.join(', ')}.` : help]
    }),
)}`,
})
