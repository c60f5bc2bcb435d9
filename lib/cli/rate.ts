// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises'
import { between, momentOf, type Rates, sumOf } from './sample.js'
import { type Column, short, table } from './text.js'
import { choosePid, headLine, processOf, seconds, show, type ViewOptions, viewCommand } from './view.js'

interface Row {
    stack: number | string
    rates: Rates
}

const rate = (head: string, name: string, scale = 1): Column<Row> => ({
    head,
    value: ({ rates }) => short((rates[name] ?? 0) * scale),
    right: true,
})

const columns: Column<Row>[] = [
    { head: 'STACK', value: (row) => row.stack, right: true },
    { head: 'BUSY%', value: ({ rates }) => rates.busy_percent!.toFixed(1), right: true },
    rate('RX p/s', 'rx_packets'),
    rate('RX bit/s', 'rx_bytes', 8),
    rate('TX p/s', 'tx_packets'),
    rate('TX bit/s', 'tx_bytes', 8),
    rate('ACCEPT/s', 'tcp_accepts'),
    rate('CONN/s', 'tcp_connects'),
    rate('RETR/s', 'tcp_retransmits'),
    rate('DROP/s', 'drops'),
]

/** The sum over all stacks; of busy times the mean. */
function total(rows: Row[]): Row {
    const rates: Rates = {}
    for (const name of Object.keys(rows[0]!.rates))
        rates[name] = rows.reduce((sum, row) => sum + row.rates[name]!, 0)
    rates.busy_percent = rates.busy_percent! / rows.length
    return { stack: 'all', rates }
}

function textOf(stacks: Row[], all: boolean): string {
    const rows = stacks.length > 1 ? [...stacks, total(stacks)] : stacks
    const lines = [table(columns, rows)]
    if (all) {
        const busy = total(stacks).rates
        for (const [name, value] of Object.entries(busy).filter(([, value]) => value > 0))
            lines.push(`${name.padEnd(28)} ${short(value)}/s`)
    } else if (sumOf(total(stacks).rates, /^drops$/) > 0) {
        lines.push('Something is dropped: pronghorn drops')
    }
    return lines.join('\n')
}

interface Options extends ViewOptions {
    interval?: number
    all?: boolean
}

export const rates = () =>
    viewCommand('rate', 'packets, bytes, connections and drops per second, of each stack')
        .option('-i, --interval <seconds>', 'how long to measure', seconds, 1)
        .option('-a, --all', 'every counter that moves')
        .action((options: Options) => {
            const fixed: ViewOptions = { ...options, pid: `${choosePid(options)}` }
            let head = ''
            return show(
                { ...options, ...(options.watch && { watch: 0.05 }) },
                {
                    collect: async () => {
                        const every = typeof options.watch === 'number' ? options.watch : options.interval!
                        const before = momentOf(fixed)
                        await delay(every * 1000)
                        const after = momentOf(fixed)
                        head = headLine(after.stats)
                        return {
                            process: processOf(after.stats),
                            seconds: (after.at - before.at) / 1000,
                            stacks: between(before, after),
                        }
                    },
                    text: ({ stacks }) => `${head}\n${textOf(stacks, options.all === true)}`,
                },
            )
        })
