// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { listProcesses } from '../stats/index.js'
import { devices } from './devices.js'
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

/** "0.1.0 (DPDK 22.11.11, lwIP 2.1.3)", of the core beside this tool. */
async function core(): Promise<string> {
    try {
        const { runtime } = await import('../runtime.js')
        return runtime.version
    } catch (error) {
        return `not there: ${(error as Error).message}`
    }
}

export const version = () =>
    new Command('version')
        .description('this tool, and what the running processes are made of')
        .addOption(jsonOption())
        .action((options: ViewOptions) =>
            show(options, {
                collect: async () => ({
                    version: packageVersion(),
                    node: process.version,
                    core: await core(),
                    devices,
                    processes: listProcesses().map(({ pid, name, product }) => ({ pid, name, product })),
                }),
                text: (data) =>
                    [
                        `pronghorn ${data.version} (Node ${data.node})`,
                        `core ${data.core}`,
                        `devices ${Object.entries(data.devices)
                            .map(([name, driver]) => (driver ? `${name} (${driver})` : name))
                            .join(', ')}, and cards by their PCI address`,
                        ...data.processes.map(({ pid, name, product }) => `${name} (${pid}): ${product}`),
                    ].join('\n'),
            }),
        )
