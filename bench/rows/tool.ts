// SPDX-License-Identifier: Apache-2.0
// How long the command-line tool takes to show a process with very many sockets.

import { fileURLToPath } from 'node:url'
import type { Context } from '../context.js'
import { runPair } from '../host/program.js'
import { type Group, only } from '../row.js'

const CONNECTIONS = 50_000 // both ends of each are in the process
const LIMIT = 120
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
/** Runs a command and says how long it took, start of the process and all output included. */
const TIMED = `
start=$(date +%s%N); "$@" >/dev/null || exit 1; end=$(date +%s%N)
echo "{\\"bench\\":\\"tool\\",\\"ns\\":$((end - start))}"`

async function secondsOf(context: Context, how: string): Promise<number> {
    const name = `bench-tool-${process.pid}`
    const env = {
        PRONGHORN_RUNTIME_NAME: name,
        PRONGHORN_LOG_LEVEL: 'warning',
        PRONGHORN_FD_NUMBERS: 'virtual', // not bound by the process's limit of open files
        PRONGHORN_MEMORY_HUGEPAGES: 'off',
        PRONGHORN_MEMORY_LIMIT_MIB: '2048',
        PRONGHORN_STACK_COUNT: '2',
        PRONGHORN_PORT: 'wire,id=0,address=10.77.0.1/24,stacks=0;wire,id=0,address=10.77.0.2/24,stacks=1',
    }
    const args = { address: '10.77.0.2', connections: CONNECTIONS, ports: 5, limit: LIMIT }
    const run = await runPair(
        context.program('sockets', 'pronghorn', 'server', args, { env }),
        {
            command: 'sh',
            args: ['-c', TIMED, 'sh', process.execPath, cli, 'show', 'sockets', how, '--pid', name],
        },
        LIMIT,
    )
    return (only(run.client, 'tool').ns as number) / 1e9
}

export const toolRow: Group = {
    rows: [{ name: 'tool.sockets', unit: 's', better: 'lower', target: 1, bound: 1 }],
    setup: `pronghorn show sockets of a process with ${2 * CONNECTIONS} TCP sockets, as text with -i and as JSON: the slower of the two`,
    peer: 'the bound we set ourselves',
    slow: true,
    ours: async (context) => {
        const text = await secondsOf(context, '-i')
        const json = await secondsOf(context, '--json')
        return { 'tool.sockets': { value: Math.max(text, json), p99: null } }
    },
}
