// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { listProcesses } from '../stats/index.js'
import { jsonOption, show, type ViewOptions } from './view.js'

/** The package's folder, wherever this file was bundled to. */
export function packageRoot(): string {
    for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
        try {
            if (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name === 'pronghorn')
                return folder
        } catch {
            // Not here.
        }
        if (folder === dirname(folder)) return '.'
    }
}

export const packageVersion = (): string =>
    JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version

export const version = () =>
    new Command('version')
        .description('this tool, and what the running processes are made of')
        .addOption(jsonOption())
        .action((options: ViewOptions) =>
            show(options, {
                collect: () => ({
                    version: packageVersion(),
                    node: process.version,
                    processes: listProcesses().map(({ pid, name, product }) => ({ pid, name, product })),
                }),
                text: (data) =>
                    [
                        `pronghorn ${data.version} (Node ${data.node})`,
                        ...data.processes.map(({ pid, name, product }) => `${name} (${pid}): ${product}`),
                    ].join('\n'),
            }),
        )
