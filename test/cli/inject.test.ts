// SPDX-License-Identifier: Apache-2.0
/* Several sets of faults at once, each on packets of its own: what each did is what its seed says. */
import t from 'tap'
import { readSegment } from '../../lib/stats/index.js'
import { eventually, json, pronghorn, Target } from './support.js'

const target = await Target.start()
t.teardown(() => target.end('SIGKILL'))
const of = ['--pid', `${target.pid}`]
const COUNT = 200

/** Draws as native/port/faults.c does for the first stack's first port: how many of `count` meet their fate. */
function fates(seed: number, ppm: number, count: number): number {
    const whole = (1n << 64n) - 1n
    let random = BigInt(seed) * 2n + 1n
    let met = 0
    for (let i = 0; i < count; i++) {
        random ^= (random << 13n) & whole
        random ^= random >> 7n
        random ^= (random << 17n) & whole
        if (Number(((random >> 32n) * 1_000_000n) >> 32n) < ppm) met++
    }
    return met
}

function counters(): Record<string, number> {
    const sum: Record<string, number> = {}
    for (const { counters: each } of readSegment(target.pid).stacks)
        for (const [name, value] of Object.entries(each)) sum[name] = (sum[name] ?? 0) + value
    return sum
}

const numbers = async () =>
    (await json('inject', ...of)).sets.map(({ number }: { number: number }) => number) as number[]

t.test('two flows, two sets: exact counts', async (t) => {
    t.match(await pronghorn('inject', ...of), { code: 0, out: /\nNo faults are injected\.\n$/ })
    const lose = ['--loss', '30%', '--seed', '7', '--direction', 'out', '--filter', 'udp dst port 9']
    const twice = ['--duplicate', '25%', '--seed', '11', '--direction', 'out']
    const flow = `udp dst port ${target.hello.udp}`
    t.match(await pronghorn('inject', ...lose, ...of), { code: 0, out: /on 2 queues .*\(set 1, seed 7\)/ })
    t.match(await pronghorn('inject', ...twice, '--filter', flow, ...of), {
        code: 0,
        out: /\(set 2, seed 11\)/,
    })
    const before = counters()
    await target.tell(`datagrams ${COUNT}`)
    await target.tell('echo 20000 5')
    const { sets, process } = await json('inject', ...of)
    const [lost, duplicated] = [fates(7, 300_000, COUNT), fates(11, 250_000, COUNT)]
    t.ok(lost > 30 && duplicated > 20)
    t.equal(process.faults, true)
    const none = { lost: 0, overrun: 0, duplicated: 0, reordered: 0, corrupted: 0, held: 0, packets: COUNT }
    t.match(sets, [
        { ...none, number: 1, seed: 7, loss_ppm: 300_000, filter: 'udp dst port 9', directions: 2, lost },
        { ...none, number: 2, seed: 11, duplicate_ppm: 250_000, filter: flow, directions: 2, duplicated },
    ])
    const after = await eventually(counters, (all) => all.udp_in! - before.udp_in! >= COUNT + duplicated)
    const grown = (name: string) => after[name]! - before[name]!
    t.equal(grown('drop_tx_injected'), lost)
    t.equal(grown('drop_rx_injected'), 0)
    t.equal(grown('drop_rx_no_socket'), COUNT - lost)
    t.equal(grown('udp_in'), COUNT + duplicated)

    const { out } = await pronghorn('inject', 'show', ...of)
    t.match(out, /^\*\*\* FAULTS ARE BEING INJECTED on stack 0, 1 \(set 1, 2\): pronghorn inject shows what/)
    t.match(out, new RegExp(`\\n +1 +${COUNT} +${lost} +0 .* 7 +loss 30% +out, udp dst port 9\\n`))
    t.match(out, new RegExp(`\\n +2 +${COUNT} +0 +${duplicated} .* 11 +duplicate 25% +out, ${flow}\\n`))
})

t.test('replaced, taken away one by one', async (t) => {
    const flow = ['--filter', 'udp dst port 9', '--direction', 'out']
    // The same packets: the same place, and its counts begin anew.
    t.match((await pronghorn('inject', '--loss', '100%', ...flow, ...of)).out, /\(set 1, seed 1\)/)
    const of1 = (await json('inject', ...of)).sets[0]
    t.match(of1, { number: 1, loss_ppm: 1_000_000, packets: 0, lost: 0 })
    t.match(
        (await pronghorn('inject', '5', '--delay', '1ms', '--stack', '1', ...of)).out,
        /on 1 queues .*\(set 5/,
    )
    t.same(await numbers(), [1, 2, 5])
    const banner = (await pronghorn('show', 'stacks', ...of)).out.split('\n')[0]
    t.match(banner, 'INJECTED on stack 0 (set 1, 2), 1 (set 1, 2, 5): pronghorn inject shows')
    t.match((await pronghorn('explain', ...of)).out, /stack 1: faults are injected on purpose: set 1, 2, 5\n/)
    await target.tell('datagrams 10')
    await target.tell('echo 10000')
    const { sets } = await json('inject', ...of)
    t.match(sets, [{ packets: 10, lost: 10 }, { packets: COUNT + 10 }, { number: 5, stack: 1, held: 0 }])
    t.ok(sets[2].packets > 10, 'what no other took')
    // Behind one that takes all: it is told.
    const hidden = await pronghorn('inject', '6', '--loss', '1%', '--stack', '1', '--filter', 'tcp', ...of)
    t.match(hidden.out, /It gets nothing: set 5 takes all of its packets before/)
    t.match((await pronghorn('inject', ...of)).out, /\nSet 6 gets nothing: set 5 takes all/)

    t.match(await pronghorn('inject', 'off', '5', ...of), {
        code: 0,
        out: 'Set 5 is no longer injected; still in force: 1, 2, 6.\n',
    })
    t.notMatch((await pronghorn('inject', ...of)).out, /gets nothing/)
    t.match(await pronghorn('inject', 'off', '5', ...of), { code: 1, err: /there is no set 5/ })
    t.match((await json('inject', 'off', '6', ...of)).sets, [{ number: 1 }, { number: 2 }])
    t.match(await pronghorn('inject', 'off', ...of), { code: 0, out: 'No faults are injected any more.\n' })
    t.same(await numbers(), [])
    t.notMatch((await pronghorn('show', 'stacks', ...of)).out, /FAULTS/)
})

t.test('as many as there can be', async (t) => {
    for (let port = 1; port <= 8; port++)
        t.equal((await pronghorn('inject', '--loss', '1%', '-f', `udp port ${port}`, ...of)).code, 0)
    t.match(await pronghorn('inject', '--loss', '1%', '-f', 'udp port 9', ...of), {
        code: 1,
        err: /8 sets of faults are in force, more cannot be: pronghorn inject off N takes one away/,
    })
    t.equal((await pronghorn('inject', '3', '--loss', '2%', '-f', 'udp port 9', ...of)).code, 0)
    t.same(await numbers(), [1, 2, 3, 4, 5, 6, 7, 8])
    t.equal((await pronghorn('inject', 'off', '4', ...of)).code, 0)
    t.match((await pronghorn('inject', '--corrupt', '1%', '-f', 'icmp', ...of)).out, /\(set 4,/)
    t.match(await pronghorn('inject', '1', '--loss', '1%', '-f', 'no such thing', ...of), { code: 1 })
    t.same(await numbers(), [1, 2, 3, 4, 5, 6, 7, 8], 'a filter that is wrong changes nothing')
    t.equal((await pronghorn('inject', '--off', ...of)).code, 0)
})

t.test('what cannot be meant', async (t) => {
    for (const words of [
        ['9', '--loss', '1%'],
        ['0', '--loss', '1%'],
        ['some', '--loss', '1%'],
        ['off', 'all'],
        ['2'],
        ['--seed', '7'],
        ['--filter', 'udp'],
        ['show', '--loss', '1%'],
        ['off', '--loss', '1%'],
        ['1', '2', '--loss', '1%'],
    ])
        t.match(
            await pronghorn('inject', ...words, ...of),
            { code: 2, out: '', err: /^pronghorn: / },
            words.join(' '),
        )
})
