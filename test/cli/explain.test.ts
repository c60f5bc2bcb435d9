// SPDX-License-Identifier: Apache-2.0
/* What makes a process slow, provoked for real: explain names it, and the setting that mends it. */

import { spawn } from 'node:child_process'
import t from 'tap'
import type { Finding } from '../../lib/cli/finding.js'
import { look } from '../../lib/cli/findings.js'
import { lateAcks } from '../../lib/cli/late-acks.js'
import { readSegment } from '../../lib/stats/index.js'
import { eventually, json, pronghorn, Target } from './support.js'

t.test('nothing, where nothing is the matter', async (t) => {
    const target = await Target.start({
        PRONGHORN_STACK_DRIVE: 'inline',
        PRONGHORN_STACK_CORES: '',
        PRONGHORN_STACK_COUNT: '2',
    })
    t.teardown(() => target.end('SIGKILL'))
    await target.tell('echo 1000 100')
    await target.tell('datagrams 1')
    const { findings } = await json('explain', `${target.pid}`)
    t.same(findings, [])
    const { out } = await pronghorn('explain', `${target.pid}`, '-i', '0.1')
    t.match(out, new RegExp(`^\\S+ \\(${target.pid}\\), Pronghorn .*\n +fd +whose `))
    t.match(out, /^Nothing is in its way\.$/m)
})

/** Looks until it is found: what is provoked goes on meanwhile. Gives the finding. */
async function found(pid: number, what: RegExp, fd?: number): Promise<Finding | undefined> {
    const words = fd === undefined ? [] : [`${fd}`]
    for (let tries = 0; tries < 20; tries++) {
        const { findings } = await json('explain', `${pid}`, ...words, '-i', '0.5')
        const one = (findings as Finding[]).find((finding) => what.test(finding.what))
        if (one) {
            t.match(one.remedy, NEXT, `${one.cause} says where to look next`)
            return one
        }
    }
    return undefined
}

/** A command of the tool or of the machine, or a setting or option by its name. */
const NEXT = /pronghorn \w+|\b[a-z]+\.[a-z_]+\b|=|TCP_[A-Z]+|SO_[A-Z]+|\(top |numactl|ethtool/

const wire = (one = '', other = '') =>
    `wire,id=0,address=10.87.0.1/24${one};wire,id=0,address=10.87.0.2/24${other}`

t.test('sends to a stack that sleeps', async (t) => {
    const target = await Target.start({ PRONGHORN_STACK_SPIN_US: '1' })
    t.teardown(() => target.end('SIGKILL'))
    const paced = target.tell('paced 2000 5')
    const finding = await found(target.pid, /^cold sends: .* finds it asleep/)
    t.match(finding, { about: /^stack \d$/, remedy: /stack\.spin_us/ })
    void paced.catch(() => {})
})

t.test('Nagle, and the delayed acknowledgements that it waits for', async (t) => {
    const target = await Target.start({ PRONGHORN_TCP_NODELAY: 'off' })
    t.teardown(() => target.end('SIGKILL'))
    t.equal(
        (await json('explain', `${target.pid}`, '-i', '0.1')).findings.filter(
            ({ cause }: Finding) => cause === 'nagle' || cause === 'delayed-ack',
        ).length,
        0,
        'nothing waits yet',
    )
    void target.tell('halves 50000 1').catch(() => {})
    t.match(await found(target.pid, /^\S+ times a second a small write waits for an ack.*\(Nagle\)/), {
        cause: 'nagle',
        about: 'stack 0',
        remedy: /tcp\.nodelay = on/,
    })
    t.match(await found(target.pid, /acknowledgements a second go out only after tcp\.delayed_ack_ms/), {
        cause: 'delayed-ack',
        about: 'stack 1',
        remedy: /tcp\.delayed_ack_ms = 1/,
    })
    const { sockets } = await json('show', 'sockets', 'nagle_holds > 0', '--pid', `${target.pid}`)
    t.equal(sockets.length, 1)
    t.match(await found(target.pid, /^\d+ of its small writes waited/, sockets[0].fd), { cause: 'nagle' })
    const late = await json('show', 'sockets', 'delayed_acks > 10', '--pid', `${target.pid}`)
    t.match(await found(target.pid, /^\d+ of its acknowledgements waited in vain/, late.sockets[0].fd), {
        cause: 'delayed-ack',
        remedy: /TCP_QUICKACK/,
    })
})

t.test('late acknowledgements for which nobody waits are no finding', async (t) => {
    const target = await Target.start({ PRONGHORN_TCP_NODELAY: 'on', PRONGHORN_TCP_DELAYED_ACK_MS: '2' })
    t.teardown(() => target.end('SIGKILL'))
    void target.tell('beats 50000 25').catch(() => {})
    const { sockets } = await eventually(
        () => json('show', 'sockets', 'delayed_acks > 10', '--pid', `${target.pid}`),
        ({ sockets }) => sockets.length > 0,
    )
    t.equal(sockets.length, 1, 'each beat is acknowledged late')
    for (const words of [[], [`${sockets[0].fd}`]]) {
        const { findings } = await json('explain', `${target.pid}`, ...words, '-i', '0.5')
        t.notOk((findings as Finding[]).some(({ cause }) => cause === 'delayed-ack'))
    }
})

t.test('whose late acknowledgements count', async (t) => {
    const target = await Target.start({ PRONGHORN_TCP_DELAYED_ACK_MS: '40' })
    t.teardown(() => target.end('SIGKILL'))
    const before = { stats: readSegment(target.pid), at: 0 }
    const after = { stats: readSegment(target.pid), at: 1000 }
    const row = after.stats.sockets.find(({ state }) => state === 'established')!
    const old = before.stats.sockets.find(({ id }) => id === row.id)!
    const late = (acks: number, segments: number, answered: number) => {
        row.delayed_acks = Number(old.delayed_acks) + acks
        row.rx_packets = Number(old.rx_packets) + segments
        row.tx_bytes = Number(old.tx_bytes) + answered
        const said = look(before, after).filter(({ cause }) => cause === 'delayed-ack').length
        t.equal(said > 0, lateAcks(before, after).has(row.id))
        return said > 0
    }
    t.notOk(late(0, 1000, 1000), 'none')
    t.notOk(late(10, 10, 0), 'ten beats a second, nothing comes back')
    t.ok(late(10, 20, 640), 'ten requests in two pieces each')
    t.notOk(late(10, 1000, 640), 'one in a hundred')
    t.ok(late(20, 20, 0), 'the next piece comes with each acknowledgement')
})

t.test('a ring that is full', async (t) => {
    const target = await Target.start({ PRONGHORN_PORT: wire(',stacks=0,rx_slots=32', ',stacks=1') })
    t.teardown(() => target.end('SIGKILL'))
    await target.tell('pump 3000000')
    t.match(await found(target.pid, /^\S+ times a second its device has no room/), {
        cause: 'full-ring',
        remedy: /tx_slots=/,
    })
})

t.test('missing offloads', async (t) => {
    const off = await Target.start({ PRONGHORN_PORT: wire(',stacks=0,offload=off', ',stacks=1') })
    t.teardown(() => off.end('SIGKILL'))
    t.match(await found(off.pid, /^offload=off/), { cause: 'offloads', about: 'port 0 wire' })
    await off.end('SIGKILL')

    const target = await Target.start({ PRONGHORN_PORT: wire() })
    t.teardown(() => target.end('SIGKILL'))
    t.match(await found(target.pid, /^it does not spread flows by itself/), {
        cause: 'offloads',
        remedy: /card with RSS/,
    })
})

t.test('wrong checksums, also of a while ago', async (t) => {
    const target = await Target.start()
    t.teardown(() => target.end('SIGKILL'))
    await pronghorn('inject', '--corrupt', '3%', '--seed', '5', '--pid', `${target.pid}`)
    await target.tell('echo 1000 200')
    await pronghorn('inject', '--off', '--pid', `${target.pid}`)
    t.match(await found(target.pid, /^\d+ packets were dropped since its start: Wrong TCP checksum/), {
        cause: 'checksums',
        remedy: /ethtool -K|rx_checksum=off/,
    })
})

/** Two stacks behind either end of a wire, which knows nothing of flows. */
t.test('packets for other stacks', async (t) => {
    const target = await Target.start({
        PRONGHORN_PORT: wire(',stacks=0+1', ',stacks=2+3'),
        PRONGHORN_STACK_CORES: '',
        PRONGHORN_STACK_COUNT: '4',
    })
    t.teardown(() => target.end('SIGKILL'))
    const handed = () =>
        readSegment(target.pid).stacks.reduce((sum, { counters }) => sum + Number(counters.rx_handed_over), 0)
    // (The answers to ARP are handed over too, each once.)
    const echoCrosses = async () => {
        const before = handed()
        await target.tell('echo 64 100')
        return handed() - before >= 50
    }
    // Which stack the server's end belongs to is told by a hash: every other one comes in where it is not at home.
    let crosses = false
    for (let tries = 0; !crosses && tries < 40; tries++) {
        await target.tell('anywhere 4000')
        crosses = await echoCrosses()
    }
    t.ok(crosses, 'one connection whose packets come in on the queue of another stack')
    void target.tell('echo 64 100000000').catch(() => {})
    t.match(await found(target.pid, /packets a second came in on the queue of another stack: a hop/), {
        cause: 'hops',
        about: /^stack \d$/,
        remedy: /one stack \(stack\.cores\), or a card with RSS/,
    })
})

/** What this machine's devices cannot be made to do, as the numbers would say it. */
t.test('much to be summed up', async (t) => {
    const target = await Target.start()
    t.teardown(() => target.end('SIGKILL'))
    const before = { stats: readSegment(target.pid), at: 0 }
    const after = { stats: readSegment(target.pid), at: 1000 }
    t.notOk(look(before, after).some(({ cause }) => cause === 'hops' || cause === 'offloads'))
    after.stats.stacks[1]!.counters.tx_bytes = 1e9
    t.match(
        look(before, after).find(({ cause }) => cause === 'offloads'),
        { about: 'stack 1', what: /wire leaves their checksums/, remedy: /tx-tcp-checksum/ },
    )
})

/** No machine of two nodes is needed to see what would be said of it. */
t.test('hops between nodes', async (t) => {
    const target = await Target.start()
    t.teardown(() => target.end('SIGKILL'))
    const stats = await eventually(
        () => readSegment(target.pid),
        ({ sockets }) => sockets.filter(({ state }) => state === 'established').length === 2,
    )
    for (const stack of stats.facts.stacks) stack.numa_node = 0
    for (const port of stats.facts.ports) port.numa_node = port.id
    const moment = { stats, at: 0 }
    const cores = (node: number) => ({
        count: 8,
        ofThread: (_pid: number, thread: number) =>
            stats.stacks.some(({ gauges }) => gauges.thread === thread) ? 0 : 5,
        nodeOf: (core: number) => (core === 5 ? node : 0),
    })
    const { fd, owner } = stats.sockets.find(({ state }) => state === 'established')!
    const said = (node: number, of?: number) =>
        look(moment, { stats, at: 1000 }, undefined, of, cores(node)).filter(({ cause }) =>
            /nodes|hops/.test(cause),
        )
    const whole = said(1)
    t.equal(whole.length, 3, 'a card, and the threads of two stacks')
    t.match(
        whole.find(({ about, what }) => about === 'stack 1' && /its port/.test(what)),
        { what: /port wire on node 1: each packet/, remedy: /stack\.cores/ },
    )
    t.match(
        whole.find(({ about }) => about === 'stack 0'),
        { what: new RegExp(`thread ${owner} with \\d+ of its`) },
    )
    t.match(said(1, fd), [{ cause: 'nodes', what: /from core 5 to .* core 0, and from node 1 to 0/ }])
    t.match(said(0, fd), [{ cause: 'hops', what: /from core 5 to its stack's core 0$/ }])
    t.equal(said(0).length, 1, 'only the card')
})

t.test('a small window', async (t) => {
    const small = { MIN: '2K', DEFAULT: '16K', MAX: '16K' }
    const target = await Target.start(
        Object.fromEntries(
            Object.entries(small).map(([name, value]) => [
                `PRONGHORN_TCP_RECEIVE_BUFFER_${name}_BYTES`,
                value,
            ]),
        ),
    )
    t.teardown(() => target.end('SIGKILL'))
    await target.tell('pump 10000000')
    t.match(await found(target.pid, /^its peer's window of \S+ is all that it sends in a round trip/), {
        remedy: /SO_RCVBUF/,
    })
})

t.test('hops between cores, and a core that is shared', async (t) => {
    const target = await Target.start({ PRONGHORN_STACK_IDLE: 'poll' })
    t.teardown(() => target.end('SIGKILL'))
    await target.tell('echo 64 10')
    const { sockets } = await json('show', 'sockets', 'state', 'established', '--pid', `${target.pid}`)
    const hop = await found(target.pid, /hops from core \d+ to its stack's core|share core/, sockets[0].fd)
    t.match(hop, { about: `fd ${sockets[0].fd}`, remedy: /stack\.drive = inline/ })

    const loop = spawn('taskset', ['-c', '0', process.execPath, '-e', 'for (;;);'])
    t.teardown(() => loop.kill('SIGKILL'))
    t.match(await found(target.pid, /^its thread waits \d+ ms of each second for a core, and loses it/), {
        remedy: /stack\.cores/,
    })
    // The same where the stack sleeps when it has nothing to do: nobody takes its core, it does not get it.
    const sleeper = await Target.start()
    t.teardown(() => sleeper.end('SIGKILL'))
    void sleeper.tell('echo 64 100000000').catch(() => {})
    t.match(await found(sleeper.pid, /waits \d+ ms of each second for a core/), { cause: 'shared-core' })
    loop.kill('SIGKILL')
})
