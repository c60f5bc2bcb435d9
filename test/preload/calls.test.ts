// SPDX-License-Identifier: Apache-2.0
// What servers do with their sockets (calls.c), on the kernel, under a shim that claims nothing, and
// with loopback claimed: all alike.
import t from 'tap'
import { run } from '../../tools/net/commands.js'
import { calls, LOOPBACK_RULES, runShimmed, shim, skipWithout } from './support.js'

skipWithout(shim, calls)

const scenarios = [
    'echo',
    'before_connect',
    'duplicates',
    'streams',
    'forks',
    'daemons',
    'execs',
    'execs_itself',
    'failed_execs',
    'rights',
    'signals',
    'epolls',
    'datagrams',
    'wildcard',
    'sharing',
    'files',
    'raw_waits',
    'handlers',
    'closes_all',
    'odd_writes',
    'other_kinds',
    'owners',
    'fortified',
    'io_urings',
]
const memory = { PRONGHORN_MEMORY_HUGEPAGES: 'off' }

for (const scenario of scenarios) {
    t.test(scenario, async (t) => {
        t.match(await run(calls, [scenario]), { status: 0, stdout: '' }, 'the kernel')
        t.match(await runShimmed(calls, [scenario]), { status: 0, stdout: '', stderr: '' }, 'nothing claimed')
        const ours = await runShimmed(calls, [scenario], { ...memory, PRONGHORN_ROUTE: LOOPBACK_RULES })
        t.match(ours, { status: 0, stdout: '' }, 'loopback is ours')
        // Only the child of `forks` uses what it cannot have: it is told how to mend that.
        const told =
            scenario === 'forks'
                ? /^pronghorn: warning: [^\n]*"kernel,process=calls,use=listen"[^\n]*\n$/
                : /^$/
        t.match(ours.stderr, told, 'and nothing was lost')
        const inline = { ...memory, PRONGHORN_ROUTE: LOOPBACK_RULES, PRONGHORN_STACK_DRIVE: 'inline' }
        t.match(
            await runShimmed(calls, [scenario], inline),
            { status: 0, stdout: '', stderr: told },
            'inline',
        )
    })
}

t.test('they really were ours', async (t) => {
    const env = { ...memory, PRONGHORN_ROUTE: LOOPBACK_RULES, PRONGHORN_LOG_LEVEL: 'debug' }
    const { stderr } = await runShimmed(calls, ['echo'], env)
    t.match(stderr, /socket \d+: ours \(rule: ours,address=127\.0\.0\.0\/8\)/)
})

t.test('what a call on a descriptor of the kernel costs', async (t) => {
    const { status, stdout } = await runShimmed(calls, ['cost'])
    t.equal(status, 0)
    t.comment(stdout.trim())
})
