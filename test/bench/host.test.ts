// SPDX-License-Identifier: Apache-2.0
import t from 'tap'
import { allowedCores, parseCpuList } from '../../bench/host/cores.js'
import { leftovers, ownName } from '../../bench/host/netns.js'
import { type Program, runAlone, runPair } from '../../bench/host/program.js'
import { parseCpuTimes } from '../../bench/host/quiet.js'

const shell = (script: string): Program => ({ command: 'sh', args: ['-c', script] })

t.test('lists of cores', async (t) => {
    t.same(parseCpuList('0-3,8\n'), [0, 1, 2, 3, 8])
    t.same(parseCpuList('5'), [5])
    t.same(parseCpuList('\n'), [])
    t.ok(allowedCores().length >= 1)
})

t.test('times of /proc/stat: steal counts apart from busy', async (t) => {
    const times = parseCpuTimes('cpu  10 1 5 100 4 2 3 7 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n')
    t.same(times, { busy: 21, steal: 7, total: 132 })
    t.throws(() => parseCpuTimes('nothing'))
})

t.test('what a dead run left is swept, what lives or is not ours stays', async (t) => {
    const names = ['phbench-11-plain-a', 'phbench-12-plain-a', 'eth0', 'phbench-x-y', 'other-11-a']
    t.same(
        leftovers(names, (pid) => pid === 12),
        ['phbench-11-plain-a'],
    )
    t.same(
        leftovers([ownName('plain-a')], () => false),
        [ownName('plain-a')],
    )
})

t.test('a program gives its lines of JSON', async (t) => {
    t.same(await runAlone(shell(`echo noise; echo '{"bench":"x","ops":3}'`), 5), [{ bench: 'x', ops: 3 }])
})

t.test('a failing program is an error with its own words', async (t) => {
    await t.rejects(runAlone(shell('echo went wrong >&2; exit 1'), 5), {
        message: /exit status 1\nwent wrong/,
    })
})

t.test('the client starts when the server is ready; the server stops after it', async (t) => {
    const server = shell(
        `trap 'echo "{\\"bench\\":\\"server\\"}"; exit 0' TERM; echo ready; while :; do sleep 0.05; done`,
    )
    const run = await runPair(server, shell(`echo '{"bench":"client"}'`), 5)
    t.same(run, { client: [{ bench: 'client' }], server: [{ bench: 'server' }] })
})

t.test('a server that dies takes the measurement with it', async (t) => {
    await t.rejects(runPair(shell('exit 1'), shell('true'), 5), { message: /exit status 1/ })
    await t.rejects(runPair(shell('echo ready; sleep 0.2; exit 4'), shell('exec sleep 20'), 10), {
        message: /exit status 4/,
    })
})

t.test('a client that hangs is stopped', async (t) => {
    const server = shell('echo ready; exec sleep 20')
    await t.rejects(runPair(server, shell('exec sleep 20'), 0.3), { message: /took more than 0.3 s/ })
})
