// SPDX-License-Identifier: Apache-2.0
// The table of rows, and how the output of programs that are not ours is read.
import t from 'tap'
import { runPair } from '../../bench/host/program.js'
import { readRedis, readWrk } from '../../bench/rows/programs.js'
import { allGroups } from '../../bench/rows.js'

t.test('every row has a name of its own, and a peer or a bound', async (t) => {
    const groups = allGroups(false)
    const rows = groups.flatMap((group) => group.rows)
    t.equal(new Set(rows.map((row) => row.name)).size, rows.length)
    for (const group of groups)
        for (const { name, bound } of group.rows)
            t.ok(group.together ?? (group.ours && (group.theirs || bound !== undefined)), name)
})

t.test("redis-benchmark's table", async (t) => {
    const output = '"test","rps","a","b","c","d","p99","m"\n"GET","305.5","1","2","3","4","0.25","9"\n'
    t.same(readRedis(output), [{ bench: 'GET', rate: 305.5, p99_ms: 0.25 }])
})

t.test("wrk's text", async (t) => {
    const text = (tail: string, more = '') =>
        `  Latency Distribution\n     50%  507.00us\n     99%    ${tail}\n${more}Requests/sec:  81216.43\n`
    t.same(readWrk(text('3.25ms')), [{ bench: 'wrk', rate: 81216.43, p99_ms: 3.25 }])
    t.match(readWrk(text('1.50s')), [{ p99_ms: 1500 }])
    t.throws(() => readWrk(text('3.25ms', '  Socket errors: connect 0, read 7, write 0, timeout 0\n')), {
        message: /read 7/,
    })
    t.throws(() => readWrk('unable to connect'), { message: /unable/ })
})

t.test('programs with words of their own: ready on stderr, a result in their output', async (t) => {
    const run = await runPair(
        {
            command: 'sh',
            args: ['-c', 'echo now serving >&2; trap exit TERM; while :; do sleep 0.05; done'],
            ready: /serving/,
        },
        {
            command: 'sh',
            args: ['-c', 'echo 4; echo 2'],
            read: (output) => [{ bench: 'sum', rate: output.split('\n').join('') }],
        },
        20,
    )
    t.same(run.client, [{ bench: 'sum', rate: '42' }])
})
