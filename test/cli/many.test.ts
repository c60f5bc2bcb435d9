// SPDX-License-Identifier: Apache-2.0
/* A hundred thousand sockets: all are shown, chosen from, and counted. How long that takes is told, not judged:
 * it depends on who else computes. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { json, pronghorn, root } from './support.js'

const COUNT = 100_000
const program = join(t.testdir(), 'segment-writer')
execFileSync('sh', [
    '-c',
    `cc -O1 -D_GNU_SOURCE -I${root}native -o ${program} ${root}test/lib/segment-writer.c ` +
        `${root}native/stats/*.c ${root}native/base/*.c -pthread -ldl`,
])
const writer = spawn(program, [`${COUNT}`], { stdio: ['pipe', 'pipe', 'inherit'] })
t.teardown(() => writer.stdin.end())
await once(writer.stdout, 'data')
const of = ['--pid', `${writer.pid}`]

/** The lines below the process's own and the table's head. */
async function rowsOf(...args: string[]): Promise<string[]> {
    const start = performance.now()
    const { code, out, err } = await pronghorn('show', 'sockets', ...args, ...of)
    t.comment(`show sockets ${args.join(' ')}: ${Math.round(performance.now() - start)} ms`)
    t.equal(code, 0, err)
    return out.trimEnd().split('\n').slice(2)
}

t.test('all of them', async (t) => {
    const rows = await rowsOf('-n')
    t.equal(rows.length, COUNT)
    t.match(rows[1], /^tcp +established +0 +0 +\[2001:db8::7:0:0:1\]:443 +\[::1\]:1$/)
    t.equal((await rowsOf('-i')).length, 2 * COUNT)
})

t.test('some of them', async (t) => {
    t.equal((await rowsOf('dport', '=', ':7')).length, 2) // port numbers come around again
    t.equal((await rowsOf('dst 192.0.2.0/24 and not state listening')).length, COUNT / 4 - 1)
    t.equal((await rowsOf('rtt_us > 3999999999 and fd < 103')).length, 100)
    t.match((await pronghorn('show', 'sockets', 'nosuch > 1', ...of)).err, /sockets have no "nosuch"/)
})

t.test('how many', async (t) => {
    const { summary } = await json('show', 'sockets', '-s', ...of)
    t.same(summary, { tcp: { total: COUNT, listening: 1, established: COUNT - 1 } })
    t.equal((await json('show', 'sockets', ...of)).sockets.length, COUNT)
})
