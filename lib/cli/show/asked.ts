// SPDX-License-Identifier: Apache-2.0
// What is not in shared memory and must be asked of the process: routes, neighbours, the card.

import { type Answer, ask } from '../console.js'
import { dim, green, red, table, whole } from '../text.js'
import { headLine, processOf, readChosen, show, type ViewOptions, viewCommand } from '../view.js'

function asked(verb: string, description: string, text: (answer: Answer) => string) {
    return viewCommand(verb, description).action((options: ViewOptions) => {
        let head = ''
        return show(options, {
            collect: async () => {
                const stats = readChosen(options, { sockets: false })
                head = headLine(stats)
                const answer = await ask({ ...options, pid: `${stats.process.pid}` }, verb)
                return { process: processOf(stats), ...answer }
            },
            text: (answer) => `${head}\n${text(answer)}`,
        })
    })
}

type Row = Record<string, string | number | boolean>
const rowsOf = (answer: Answer, name: string) => (answer[name] ?? []) as Row[]

export const routes = () =>
    asked('routes', 'the routes of each stack', (answer) =>
        table<Row>(
            [
                { head: 'STACK', value: (row) => `${row.stack}`, right: true },
                { head: 'DESTINATION', value: (row) => `${row.destination}` },
                { head: 'VIA', value: (row) => `${row.gateway || '-'}` },
                { head: 'DEV', value: (row) => `${row.netif}` },
                { head: 'SRC', value: (row) => `${row.source || '-'}` },
                { head: 'MTU', value: (row) => `${row.mtu}`, right: true },
                { head: 'STATE', value: (row) => (row.up ? green('up') : red('down')) },
            ],
            rowsOf(answer, 'routes'),
        ),
    )

export const neighbors = () =>
    asked('neighbors', 'the neighbours that ARP and neighbour discovery found', (answer) =>
        table<Row>(
            [
                { head: 'STACK', value: (row) => `${row.stack}`, right: true },
                { head: 'ADDRESS', value: (row) => `${row.address}` },
                { head: 'LLADDR', value: (row) => `${row.mac || '-'}` },
                { head: 'DEV', value: (row) => `${row.netif}` },
                { head: 'STATE', value: (row) => `${row.state}` },
            ],
            rowsOf(answer, 'neighbors'),
        ),
    )

export const nic = () =>
    asked('nic', "each port's link and the device's own counters, as `ethtool -S` shows them", (answer) =>
        rowsOf(answer, 'ports')
            .map((port) => {
                const counters = Object.entries(port.counters as unknown as Record<string, number>)
                const speed = port.speed_mbit ? `, ${port.speed_mbit} Mbit/s` : ''
                return [
                    `${port.id}: ${port.name} (${port.driver}): link ${port.link_up ? green('up') : red('down')}${speed}`,
                    ...counters
                        .filter(([, value]) => value > 0)
                        .map(([name, value]) => `    ${name}: ${whole(value)}`),
                    dim(`    (${counters.filter(([, value]) => value === 0).length} more are zero: --json)`),
                ].join('\n')
            })
            .join('\n'),
    )
