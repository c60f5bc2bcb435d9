// SPDX-License-Identifier: Apache-2.0
/* Processes that hang: stacks that spin for ever while they write a socket's row, and a process that is
 * stopped. All that lies in shared memory is still shown, and what must be asked of the process says who hangs,
 * within a time that does not grow with the number of those who do. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { eventually, json, pronghorn, root } from './support.js'

const program = `${root}build/release/tests/hung`

async function start(...stacks: number[]): Promise<{ child: ChildProcess; of: string[] }> {
    const child = spawn(program, stacks.map(String), { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    await once(child.stdout!, 'data')
    return { child, of: ['--pid', `${child.pid}`] }
}

const end = async (child: ChildProcess) => {
    child.kill('SIGKILL')
    await once(child, 'exit')
}

t.test('stacks that hang', async (t) => {
    const { child, of } = await start(1, 2)
    const { stacks } = await eventually(
        () => json('show', 'stacks', ...of),
        ({ stacks }) => stacks[1].hung_ms > 0 && stacks[2].hung_ms > 0,
    )
    t.same(
        stacks.map(({ hung_ms }: { hung_ms: number }) => hung_ms > 0),
        [false, true, true, false],
    )
    for (const command of [
        ['show', 'stacks'],
        ['show', 'sockets'],
        ['show', 'pools'],
        ['drops'],
        ['latency'],
    ]) {
        const { code, out, err } = await pronghorn(...command, ...of)
        t.equal(code, 0, `${command.join(' ')}: ${err}`)
        t.match(out, /STACK 1 HANGS since \d+s, in one and the same turn: gdb -p \d+/, command.join(' '))
        t.match(out, /STACK 2 HANGS/)
        t.notMatch(out, /STACK 0 HANGS/)
    }
    const { sockets } = await json('show', 'sockets', ...of)
    t.equal(sockets.length, 3, 'the half-written row is shown as it lies')
    t.match((await pronghorn('explain', '-i', '0.1', `${child.pid}`)).out, /stack 1: it hangs since/)
    t.ok((await json('flight', ...of)).records.length > 0)

    /* What must be asked: one time-out for all of them, then none while they still owe their answers. */
    for (const command of [
        ['set', 'stack.spin_us', '7'],
        ['inject', '--loss', '1%'],
        ['capture', '-c', '1'],
        ['record', '-w', '/dev/null'],
        ['show', 'routes'],
    ]) {
        const begin = performance.now()
        const { code, err } = await pronghorn(...command, ...of)
        t.comment(`${command.join(' ')}: ${Math.round(performance.now() - begin)} ms`)
        t.equal(code, 1, command.join(' '))
        t.match(
            err,
            /stack 1 does not answer \(nor does stack 2\): .*hangs since|stack 1 does not answer: .*hangs since/,
        )
    }
    t.equal((await pronghorn('show', 'nic', ...of)).code, 0)
    t.equal((await pronghorn('set', 'log.level', 'error', ...of)).code, 0)
    await end(child)
})

t.test('a process that is stopped', async (t) => {
    const { child, of } = await start()
    child.kill('SIGSTOP')
    await eventually(
        () => json('show', 'stacks', ...of),
        ({ process }) => process.stopped,
    )
    for (const command of [['show', 'sockets'], ['show', 'settings'], ['drops']]) {
        const { code, out } = await pronghorn(...command, ...of)
        t.equal(code, 0)
        t.match(out, /STOPPED .*kill -CONT \d+/)
        t.notMatch(out, /HANGS/)
    }
    for (const command of [['set', 'stack.spin_us', '7'], ['log']]) {
        const { code, err } = await pronghorn(...command, ...of)
        t.equal(code, 1, command.join(' '))
        t.match(err, /is stopped .*kill -CONT/)
    }
    child.kill('SIGCONT')
    t.equal((await pronghorn('set', 'stack.spin_us', '7', ...of)).code, 0, 'and it goes on')
    t.notMatch((await pronghorn('show', 'stacks', ...of)).out, /STOPPED/)
    await end(child)
})
