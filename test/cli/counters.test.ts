// SPDX-License-Identifier: Apache-2.0
/* rate, snmp, drops, pools, queues: against traffic of known size. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { REMEDIES } from '../../lib/cli/drops.js'
import { eventually, json, pronghorn, root, Target } from './support.js'

const target = await Target.start()
t.teardown(() => target.end('SIGKILL'))
const of = ['--pid', `${target.pid}`]
await target.tell('echo 100000')
await target.tell('open 4')
await target.tell('datagrams 7')
await target.tell('refused')
await target.tell('refused')

t.test('snmp', async (t) => {
    const { counters } = await eventually(
        () => json('snmp', ...of),
        ({ counters }) => counters.UdpNoPorts === 7 && counters.TcpOutRsts === 2,
    )
    t.match(counters, {
        TcpActiveOpens: 7,
        TcpPassiveOpens: 5,
        TcpAttemptFails: 2,
        TcpCurrEstab: 10,
        TcpOutRsts: 2,
        UdpInDatagrams: 7,
        UdpOutDatagrams: 14,
        UdpNoPorts: 7, // not the two segments that nobody listened for
    })
    t.equal(counters.TcpInSegs, counters.TcpOutSegs)
    const { out } = await pronghorn('snmp', 'udp', ...of)
    t.match(out, /^UdpNoPorts +7 +drop_rx_no_socket$/m)
    t.notMatch(out, /Tcp/)
})

t.test('drops: each reason has a sentence and a remedy', async (t) => {
    const { drops } = await json('drops', ...of)
    const nobody = drops.find((row: { counter: string }) => row.counter === 'drop_rx_no_socket')
    t.match(nobody, { packets: 7, direction: 'in', reason: /nobody listens/, remedy: /show sockets -l/ })
    t.match(
        drops.find((row: { counter: string }) => row.counter === 'drop_rx_no_connection'),
        {
            packets: 2,
            remedy: /TCP port number/,
        },
    )
    t.match((await pronghorn('drops', ...of)).out, / 7 {2}drop_rx_no_socket +A datagram to a port/)
    const table = readFileSync(`${root}native/stats/counters.def`, 'utf8')
    const names = [...table.matchAll(/COUNTER\((drop_\w+),/g)].map(([, name]) => name!)
    t.same(Object.keys(REMEDIES).sort(), names.sort())
    t.same(drops.map((row: { counter: string }) => row.counter).sort(), names)
})

t.test('pools and queues', async (t) => {
    const { pools, memory } = await json('show', 'pools', ...of)
    t.equal(pools.length, 4)
    for (const pool of pools) t.ok(pool.size > 0 && pool.used + pool.free === pool.size && !pool.low)
    t.ok(memory[0].bytes > 0)
    const { queues } = await json('show', 'queues', ...of)
    t.ok(queues[0].tx_bytes > 200_000 / 2 && queues[1].rx_bytes > 100_000)
    t.match((await pronghorn('show', 'pools', ...of)).out, /memory\.packets/)
    t.match((await pronghorn('show', 'queues', ...of)).out, /REFUSED/)
})

t.test('rate', async (t) => {
    const asked = json('rate', '-i', '1.5', ...of)
    let over = false
    asked.finally(() => {
        over = true
    })
    while (!over) await target.tell('echo 100000')
    const { stacks, seconds } = await asked
    t.ok(seconds >= 1.4)
    t.equal(stacks.length, 2)
    for (const { rates } of stacks) t.ok(rates.busy_percent >= 0 && rates.busy_percent <= 100)
    t.ok(stacks[1].rates.rx_bytes * seconds > 100_000, 'some of it fell into the time')
    t.match((await pronghorn('rate', '-i', '0.1', ...of)).out, /BUSY%/)
})
