// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { listProcesses, readSegment, type SegmentStats } from '../stats/index.js'
import { EXIT, Failure } from './failure.js'
import { CONTENT_TYPES, type Format, metricsText } from './metrics.js'
import { packageRoot } from './version.js'
import { pidOption, readChosen, type ViewOptions } from './view.js'

interface Options extends ViewOptions {
    listen?: string
    dashboard?: boolean
    format: Format
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
            const newer = /application\/openmetrics-text/.test(request.headers.accept ?? '')
            const format = newer ? 'openmetrics' : 'prometheus'
            const text = metricsText(collect(options), format)
            response.writeHead(200, { 'content-type': CONTENT_TYPES[format] }).end(text)
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

/** Made from counters.def (tools/generate/stats.mjs). */
export const dashboard = () => readFileSync(join(packageRoot(), 'grafana/pronghorn.json'), 'utf8')

export const exports_ = () =>
    new Command('export')
        .description('all numbers as OpenMetrics, once or for Prometheus to fetch')
        .addOption(pidOption())
        .option('-l, --listen <[host:]port>', 'serve them at /metrics (default host: 127.0.0.1)')
        .addOption(
            new Option('-f, --format <form>', 'of what is printed; an asker at --listen says what it wants')
                .choices(Object.keys(CONTENT_TYPES))
                .default('openmetrics'),
        )
        .option('--dashboard', 'the Grafana dashboard for them, as JSON')
        .addHelpText(
            'after',
            `
Examples:
  pronghorn export --format prometheus | promtool check metrics
  pronghorn export --listen 9464
  pronghorn export --dashboard > pronghorn-dashboard.json`,
        )
        .action(async (options: Options) => {
            if (options.dashboard) process.stdout.write(dashboard())
            else if (options.listen) await serve(options, options.listen)
            else process.stdout.write(metricsText(collect(options), options.format))
        })
