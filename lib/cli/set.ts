// SPDX-License-Identifier: Apache-2.0
import { Command } from 'commander'
import { ask } from './console.js'
import { choosePid, pidOption, type ViewOptions } from './view.js'

export const set = () =>
    new Command('set')
        .description('change a setting of a live process: log.*, stack.*, flight.*, trace.*')
        .argument('<setting>', 'its name, as in pronghorn show settings')
        .argument('<value>')
        .addOption(pidOption())
        .addHelpText(
            'after',
            `
Examples:
  pronghorn set log.level debug
  pronghorn set stack.idle poll            never sleep: the lowest latency, a core for each stack
  pronghorn set stack.spin_us 50
  pronghorn set trace.points state,rto     what pronghorn trace shows; none ends it`,
        )
        .action(async (key: string, value: string, options: ViewOptions) => {
            const pid = choosePid(options)
            await ask({ ...options, pid: `${pid}` }, 'set', { key, value })
            console.log(`${key} = ${value} in process ${pid}, until it ends`)
        })
