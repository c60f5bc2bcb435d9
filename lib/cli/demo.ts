// SPDX-License-Identifier: Apache-2.0
// Something to look at, and a first number, without any configuration or privilege: two stacks in this
// process, joined by the in-process wire. The only commands of the tool that load the addon.

import * as kernel from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { dim, table } from './text.js'
import { jsonOption, seconds } from './view.js'
import { type Ends, measure, type Net, type Result, serve } from './workload.js'

const HOST = '10.86.0.1'
const CLIENT = '10.86.0.2'

async function ours(name: string): Promise<Ends> {
    const { runtime } = await import('../runtime.js')
    const net = (await import('../net/index.js')) as unknown as Net
    runtime.start({
        runtime: { name },
        log: { level: 'warning' },
        memory: { hugepages: 'off' },
        port: [`wire,id=0,address=${HOST}/24,stacks=0`, `wire,id=0,address=${CLIENT}/24,stacks=1`],
        // One thread for all: with few cores dedicated ones would only stand in its way.
        stack: { count: 2, drive: 'inline' },
    })
    return { net, host: HOST, localAddress: CLIENT }
}

const number = (value: number) =>
    value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(value < 10 ? 2 : 1)

const text = (results: Result[]) =>
    table(
        [
            { head: 'WHAT', value: (row) => row.name },
            { head: 'VALUE', value: (row) => number(row.value), right: true },
            { head: 'UNIT', value: (row) => row.unit },
        ],
        results,
    )

/** Keeps a little traffic going, so that there is something to look at. */
async function keepBusy(ends: Ends): Promise<void> {
    const server = await serve(ends)
    const { port } = server.address() as kernel.AddressInfo
    for (let i = 0; i < 5; i++) {
        const socket = ends.net.connect({ host: ends.host, port, localAddress: CLIENT })
        socket.on('data', () => setTimeout(() => socket.write(Buffer.alloc(64 * (i + 1), 'e')), 2 * (i + 1)))
        socket.write('e')
    }
    await delay(2 ** 31 - 1)
}

export const demo = () =>
    new Command('demo')
        .description('traffic between two stacks in this process, to try the tool on')
        .addOption(jsonOption())
        .option('-s, --seconds <seconds>', 'how long each part takes', seconds, 1)
        .option('--stay', 'go on with a little traffic until Ctrl-C, for a second terminal')
        .addHelpText(
            'after',
            `
Example:
  pronghorn demo --stay        and in another terminal: pronghorn top --pid demo`,
        )
        .action(async (options: { json?: boolean; seconds: number; stay?: boolean }) => {
            const ends = await ours('demo')
            const results = await measure(ends, options.seconds * 1000)
            console.log(options.json ? JSON.stringify({ results }, null, 2) : text(results))
            if (options.stay) {
                console.error(dim('In another terminal: pronghorn top --pid demo. Ctrl-C ends it.'))
                process.on('SIGINT', () => process.exit(0)).on('SIGTERM', () => process.exit(0))
                await keepBusy(ends)
            }
            process.exit(0)
        })

interface Row extends Result {
    kernel: number
    /** How much better ours is. */
    ratio: number
}

export const bench = () =>
    new Command('bench')
        .description("our sockets beside the kernel's loopback, both ends in this process")
        .addOption(jsonOption())
        .option('-s, --seconds <seconds>', 'how long each part takes', seconds, 1)
        .addHelpText(
            'after',
            `
A first look from TypeScript; what is measured how, with both ends on cores of their own: npm run bench.`,
        )
        .action(async (options: { json?: boolean; seconds: number }) => {
            const ms = options.seconds * 1000
            const loopback = await measure({ net: kernel, host: '127.0.0.1' }, ms)
            const own = await measure(await ours('bench'), ms)
            const rows: Row[] = own.map((row, i) => {
                const { value } = loopback[i]!
                const ratio = row.better === 'lower' ? value / row.value : row.value / value
                return { ...row, kernel: value, ratio }
            })
            if (options.json) console.log(JSON.stringify({ rows }, null, 2))
            else
                console.log(
                    table(
                        [
                            { head: 'WHAT', value: (row) => row.name },
                            { head: 'OURS', value: (row) => number(row.value), right: true },
                            { head: 'KERNEL', value: (row) => number(row.kernel), right: true },
                            { head: 'UNIT', value: (row) => row.unit },
                            { head: 'RATIO', value: (row) => row.ratio.toFixed(2), right: true },
                        ],
                        rows,
                    ),
                )
            process.exit(0)
        })
