// SPDX-License-Identifier: Apache-2.0
import { Command } from 'commander'
import { neighbors, nic, routes } from './asked.js'
import { pools } from './pools.js'
import { ports } from './ports.js'
import { processes } from './processes.js'
import { queues } from './queues.js'
import { settings } from './settings.js'
import { sockets } from './sockets.js'
import { stacks } from './stacks.js'

/** One file for each thing that can be shown; a new one is a line here. */
const things = [processes, stacks, ports, sockets, settings, pools, queues, nic, routes, neighbors]

export function show(): Command {
    const command = new Command('show').description('what there is: processes, stacks, ports, sockets, ...')
    for (const thing of things) command.addCommand(thing())
    return command
}
