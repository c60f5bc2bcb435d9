// SPDX-License-Identifier: Apache-2.0
// What --help ends with, of commands that need no more than lines to copy. (Those with more to say
// bring their own text.)

import type { Command } from 'commander'

const EXAMPLES: Record<string, string[]> = {
    show: ['show processes', 'show sockets -i state established', 'show settings --changed --json'],
    'show processes': ['show processes', 'show processes --all --json'],
    'show stacks': ['show stacks', 'show stacks --watch 0.5 --pid redis-server'],
    'show ports': ['show ports', 'show ports --json --pid 4711'],
    'show settings': ['show settings --changed', 'show settings tcp.retries --json'],
    'show pools': ['show pools', 'show pools --watch'],
    'show queues': ['show queues', 'show queues --json'],
    'show nic': ['show nic', 'show nic --watch 2'],
    'show routes': ['show routes', 'show routes --json'],
    'show neighbors': ['show neighbors', 'show neighbors --json'],
    top: ['top', 'top --delay 0.5 --pid redis-server'],
    rate: ['rate', 'rate --all --interval 5', 'rate --watch --json'],
    snmp: ['snmp', 'snmp retrans --json', 'snmp --watch'],
    drops: ['drops', 'drops --watch --pid redis-server'],
    explain: ['explain redis-server', 'explain 4711 23', 'explain redis-server -i 2 --json'],
    doctor: ['doctor', 'doctor eth1', 'doctor --fix'],
    config: ['config check pronghorn.json', 'config print --pid redis-server', 'config schema'],
    'config check': ['config check', 'config check pronghorn.json'],
    'config print': ['config print', 'config print --pid redis-server'],
    'config schema': ['config schema > pronghorn.schema.json'],
    log: ['log', 'log --follow --json'],
    demo: ['demo', 'demo --seconds 60'],
    bench: ['bench', 'bench --seconds 2 --json'],
    completion: [
        'source <(pronghorn completion bash)',
        'pronghorn completion zsh > ~/.zfunc/_pronghorn',
        'pronghorn completion fish | source',
    ],
    version: ['version', 'version --json'],
}

export function addExamples(command: Command, path: string[] = []): void {
    const lines = EXAMPLES[path.join(' ')]
    if (lines)
        command.addHelpText(
            'after',
            `\nExamples:\n${lines.map((line) => `  ${/pronghorn /.test(line) ? line : `pronghorn ${line}`}`).join('\n')}`,
        )
    for (const child of command.commands) addExamples(child, [...path, child.name()])
}
