// SPDX-License-Identifier: Apache-2.0
// The tool's commands; one file for each.

import { Command } from 'commander'
import { bind, unbind } from './bind.js'
import { captures, recorders } from './capture.js'
import { completer, completion } from './completion.js'
import { config } from './config.js'
import { bench, demo } from './demo.js'
import { doctor } from './doctor.js'
import { drops } from './drops.js'
import { addExamples } from './examples.js'
import { explain } from './explain.js'
import { exports_ } from './export.js'
import { flight } from './flight.js'
import { inject } from './inject.js'
import { latency } from './latency.js'
import { log } from './log.js'
import { rates } from './rate.js'
import { run } from './run.js'
import { set } from './set.js'
import { show } from './show/index.js'
import { snmp } from './snmp.js'
import { useColour } from './text.js'
import { top } from './top.js'
import { trace } from './trace.js'
import { packageVersion, version } from './version.js'

/** A new command is a line here. */
const commands = [
    run,
    show,
    top,
    rates,
    latency,
    snmp,
    drops,
    explain,
    doctor,
    captures,
    recorders,
    flight,
    trace,
    inject,
    set,
    log,
    config,
    demo,
    bench,
    exports_,
    bind,
    unbind,
    completion,
    version,
]

export function program(): Command {
    const root = new Command('pronghorn')
        .enablePositionalOptions()
        .description('See and steer the processes that run on Pronghorn, a userspace TCP/IP stack.')
        .version(packageVersion(), '-V, --version')
        .option('--color', 'colours even when this is no terminal')
        .option('--no-color', 'no colours')
        .hook('preAction', (command) => useColour(command.opts().color as boolean | undefined))
        .showSuggestionAfterError()
        .configureHelp({ showGlobalOptions: false })
        .addHelpText(
            'after',
            `
Examples:
  pronghorn show processes                         who runs on Pronghorn
  pronghorn show sockets -i state established      like ss -tin
  pronghorn show settings --changed --json
  pronghorn run --port LINE -- redis-server        an unmodified program on our stacks
  pronghorn explain --pid redis-server             whose its sockets are, and why
  pronghorn show stacks --watch 0.5 --pid redis-server

Exit codes: 0 done; 1 failed, or what was found is not well; 2 the command line is wrong;
3 no such process; 4 its numbers cannot be read.`,
        )
    for (const command of commands) root.addCommand(command())
    root.addCommand(completer(root), { hidden: true })
    const strict = (command: Command): void => {
        command.exitOverride()
        command.commands.forEach(strict)
    }
    strict(root)
    addExamples(root)
    return root
}
