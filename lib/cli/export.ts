// SPDX-License-Identifier: Apache-2.0
import { createServer } from 'node:http'
import { Command } from 'commander'
import { listProcesses, readSegment, type SegmentStats } from '../stats/index.js'
import { EXIT, Failure } from './failure.js'
import { CONTENT_TYPE, dashboard, openMetrics } from './metrics.js'
import { pidOption, readChosen, type ViewOptions } from './view.js'

interface Options extends ViewOptions {
    listen?: string
    dashboard?: boolean
}

function collect(options: Options): SegmentStats[] {
    if (options.pid) return [readChosen(options, { sockets: false })]
    return listProcesses().flatMap(({ pid }) => {
        try {
            return [readSegment(pid, { sockets: false })]
        } catch {
            return [] // it just ended
        }
    })
}

function serve(options: Options, address: string): Promise<void> {
    const [, host, port] = address.match(/^(?:\[?([^\]]*?)\]?:)?(\d{1,5})$/) ?? []
    if (port === undefined) throw new Failure(`"${address}": give [host:]port, such as 9464`, EXIT.usage)
    const server = createServer((request, response) => {
        if (request.url !== '/metrics' && request.url !== '/') {
            response.writeHead(404).end('see /metrics\n')
            return
        }
        try {
            const text = openMetrics(collect(options))
            response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(text)
        } catch (error) {
            response.writeHead(503).end(`${(error as Error).message}\n`)
        }
    })
    return new Promise((_resolve, reject) => {
        server.on('error', (error) => reject(new Failure(`${address}: ${error.message}`)))
        server.listen(Number(port), host || '127.0.0.1', () => {
            const { port: bound } = server.address() as { port: number }
            process.stderr.write(`http://${host || '127.0.0.1'}:${bound}/metrics\n`)
        })
    })
}

export const exports_ = () =>
    new Command('export')
        .description('all numbers as OpenMetrics, once or for Prometheus to fetch')
        .addOption(pidOption())
        .option('-l, --listen <[host:]port>', 'serve them at /metrics (default host: 127.0.0.1)')
        .option('--dashboard', 'the Grafana dashboard for them, as JSON')
        .addHelpText(
            'after',
            `
Examples:
  pronghorn export | promtool check metrics
  pronghorn export --listen 9464
  pronghorn export --dashboard > pronghorn-dashboard.json`,
        )
        .action(async (options: Options) => {
            if (options.dashboard) console.log(JSON.stringify(dashboard(), null, 2))
            else if (options.listen) await serve(options, options.listen)
            else process.stdout.write(openMetrics(collect(options)))
        })
