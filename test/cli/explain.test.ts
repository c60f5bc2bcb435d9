// SPDX-License-Identifier: Apache-2.0
/* What makes a process slow, provoked for real: explain names it, and the setting that mends it. */

import { spawn } from 'node:child_process'
import t from 'tap'
import { json, Target } from './support.js'

interface Finding {
    about: string
    what: string
    remedy: string
}

/** Looks until it is found: what is provoked goes on meanwhile. Gives the finding. */
async function found(pid: number, what: RegExp, fd?: number): Promise<Finding | undefined> {
    const words = fd === undefined ? [] : [`${fd}`]
    for (let tries = 0; tries < 20; tries++) {
        const { findings } = await json('explain', `${pid}`, ...words, '-i', '0.5')
        const one = (findings as Finding[]).find((finding) => what.test(finding.what))
        if (one) return one
    }
    return undefined
}

t.test('sends to a stack that sleeps', async (t) => {
    const target = await Target.start({ PRONGHORN_STACK_SPIN_US: '1' })
    t.teardown(() => target.end('SIGKILL'))
    const paced = target.tell('paced 2000 5')
    const finding = await found(target.pid, /^cold sends: .* finds it asleep/)
    t.match(finding, { about: /^stack \d$/, remedy: /stack\.spin_us/ })
    void paced.catch(() => {})
})

t.test('Nagle', async (t) => {
    const target = await Target.start({ PRONGHORN_TCP_NODELAY: 'off' })
    t.teardown(() => target.end('SIGKILL'))
    t.match(await found(target.pid, /wait for an acknowledgement \(Nagle\)/), {
        remedy: 'tcp.nodelay = on',
    })
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
    t.match(await found(target.pid, /^the kernel took the core from its thread/), {
        remedy: /stack\.cores/,
    })
    loop.kill('SIGKILL')
})
