// SPDX-License-Identifier: Apache-2.0
// What goes wrong in life: programs that compute or die, cables that are pulled, wires that lose frames.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { end, must, tryRun } from '../../tools/net/commands.js'
import { makeWire, type Wire } from '../../tools/net/wire.js'
import { program, serve, skipWithoutEnds, startClient, startEnd } from './support/ends.js'

skipWithoutEnds()
const MIB = 1048576
const STARTS = 50
const good = { failed: 0, error: '', stderr: '', status: 0 }
let port = 7000

function wireOf(t: { teardown(undo: () => void): void }, options = {}): Wire {
    const wire = makeWire(options)
    t.teardown(() => wire.close())
    return wire
}

/* A small program of the kernel's side. */
const script = (wire: Wire, code: string) =>
    wire.run(process.execPath, ['--input-type=module', '-e', code], {
        env: { ...process.env, NODE_OPTIONS: '' },
    })

t.test('an application that computes for ten seconds', async (t) => {
    const wire = wireOf(t)
    const at = ++port
    must('ip', 'netns', 'exec', wire.namespace, 'sysctl', '-qw', 'net.ipv4.tcp_keepalive_intvl=1')
    must('ip', 'netns', 'exec', wire.namespace, 'sysctl', '-qw', 'net.ipv4.tcp_keepalive_probes=2')
    const server = await serve(wire, 'ours', at, { PRONGHORN_STACK_DRIVE: 'inline' })
    // Open before, used meanwhile: what it sends goes into the window and is acknowledged.
    const before = script(
        wire,
        `import { connect } from 'node:net'
        import { setTimeout as sleep } from 'node:timers/promises'
        const socket = connect(${at}, '${wire.our4}')
        socket.setKeepAlive(true, 1000)
        await sleep(1500)
        const request = Buffer.alloc(16)
        request.writeUInt32LE(1, 0)
        socket.write(request)
        socket.end(Buffer.alloc(100000))
        let got = 0
        try { for await (const data of socket) got += data.length } catch (error) { got = error.code }
        console.log(got)`,
    )
    await sleep(700)
    const computing = startClient(wire, 'kernel', wire.our4, at, { what: 'compute', ms: 10_000 })
    await sleep(3000)
    const { stdout: queues } = await wire.run('ss', ['-Htn', 'state', 'fin-wait-2', 'dport', '=', `:${at}`])
    t.match(queues, /^\d+ +0 /, 'data and FIN of the kernel are acknowledged')
    const connects = await script(
        wire,
        `import { connect } from 'node:net'
        import { once } from 'node:events'
        const start = performance.now()
        for (let i = 0; i < 5; i++) {
            const socket = connect(${at}, '${wire.our4}')
            await once(socket, 'connect')
            socket.destroy()
        }
        console.log(Math.round(performance.now() - start))`,
    )
    t.ok(
        Number(connects.stdout) < 2000,
        `five new connections into the backlog in ${connects.stdout.trim()} ms`,
    )
    const ping = await wire.run('ping', ['-c3', '-i0.2', '-W1', wire.our4])
    t.match(ping.stdout, '3 received', 'it answers a ping')
    t.equal(computing.child.exitCode, null, 'all this while it computed')
    t.match(await computing.told, { ok: 1, ...good })
    t.match((await before).stdout, /^16\n/, 'the old connection lived through it')
    t.match(await server.stop(), { open: 0, stderr: '', status: 0 })
})

t.test(`started and stopped ${STARTS} times`, async (t) => {
    const wire = wireOf(t)
    const at = ++port
    const echo = await serve(wire, 'kernel', at)
    const pids: number[] = []
    let fine = 0
    for (let i = 0; i < STARTS; i++) {
        const env = { PRONGHORN_STACK_DRIVE: i % 2 ? 'inline' : 'dedicated' }
        const one = startClient(wire, 'ours', wire.peer4, at, { what: 'echo', bytes: 10_000 }, env)
        pids.push(one.child.pid as number)
        const told = await one.told
        if (told.ok === 1 && told.stderr === '' && told.status === 0) fine++
    }
    t.equal(fine, STARTS)
    const left = pids.filter((pid) => existsSync(`/dev/shm/pronghorn.${pid}`))
    t.strictSame(left, [], 'nothing is left in shared memory')
    t.match(await echo.stop(), { ok: STARTS, open: 0 })
})

t.test('kill -9 of our server in mid-transfer, and start again', async (t) => {
    const wire = wireOf(t)
    const at = ++port
    const first = await serve(wire, 'ours', at)
    const client = startClient(wire, 'kernel', wire.our4, at, { what: 'sink', bytes: 100_000 * MIB })
    await sleep(1000)
    first.child.kill('SIGKILL')
    await first.told
    const second = await serve(wire, 'ours', at)
    t.match(
        await client.told,
        { ok: 0, failed: 1, error: 'ECONNRESET' },
        'the next stack resets what it does not know',
    )
    const told = await startClient(wire, 'kernel', wire.our6, at, { what: 'echo', bytes: MIB }).told
    t.match(told, { ok: 1, ...good }, 'and serves')
    t.match(await second.stop(), { open: 0, stderr: '', status: 0 })
})

t.test('kill -9 of the peer in mid-transfer', async (t) => {
    const wire = wireOf(t)
    for (const drive of ['dedicated', 'inline']) {
        const at = ++port
        const server = await serve(wire, 'ours', at, { PRONGHORN_STACK_DRIVE: drive })
        for (const what of ['sink', 'source', 'echo']) {
            const client = startClient(wire, 'kernel', wire.our4, at, { what, bytes: 100_000 * MIB })
            await sleep(500)
            must(
                'sh',
                '-c',
                `kill -9 ${must('ip', 'netns', 'pids', wire.namespace).trim().split('\n').join(' ')}`,
            )
            await client.told
        }
        await sleep(300)
        t.match(await server.stop(), { open: 0, stderr: '', status: 0 }, `${drive}: every connection ended`)
    }
})

t.test('the cable is pulled and put back', async (t) => {
    const wire = wireOf(t)
    const pull = async (...link: string[]) => {
        await sleep(300)
        must('ip', ...link, 'down')
        await sleep(1500)
        must('ip', ...link, 'up')
    }
    for (const [name, link] of [
        ['their end', ['netns', 'exec', wire.namespace, 'ip', 'link', 'set', wire.peerDevice]],
        ['our end', ['link', 'set', wire.device]],
    ] as const) {
        for (const what of ['sink', 'source']) {
            const at = ++port
            const server = await serve(wire, 'ours', at)
            const client = startClient(wire, 'kernel', wire.our4, at, { what, bytes: 512 * MIB })
            await pull(...link)
            const told = await client.told
            t.match(told, { ok: 1, ...good }, `${name}, ${what}: all arrived in ${told.ms} ms`)
            t.match(await server.stop(), { open: 0, status: 0 })
        }
    }
})

t.test('a wire that loses, doubles, delays and disorders', async (t) => {
    const wire = wireOf(t)
    // Our port stands on a second pair; the relay joins its other end with the wire.
    const [near, far] = [`${wire.device}n`, `${wire.device}f`]
    t.teardown(() => tryRun('ip', 'link', 'del', near))
    must('ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', far)
    for (const device of [near, far]) {
        must('sh', '-c', `echo 1 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6`)
        must('ip', 'link', 'set', device, 'up')
    }
    const bad = { PRONGHORN_PORT: wire.port.replace(wire.device, near) }
    for (const [name, loss, duplicate, reorder, delayUs] of [
        ['1 % lost', 10, 0, 0, 0],
        ['5 % lost', 50, 0, 0, 0],
        ['1 % doubled, 5 % disordered', 0, 10, 50, 0],
        ['all of it, and 2 ms away', 10, 10, 20, 2000],
    ] as const) {
        const relay = startRelay(far, wire.device, loss, duplicate, reorder, delayUs)
        await relay.ready
        const at = ++port
        const server = await serve(wire, 'ours', at, bad)
        for (const work of [
            { what: 'sink', bytes: 8 * MIB },
            { what: 'source', bytes: 8 * MIB },
            { what: 'echo', bytes: 50_000, count: 20, atOnce: 20 },
        ]) {
            const told = await startClient(wire, 'kernel', wire.our4, at, work).told
            t.match(told, { ok: work.count ?? 1, ...good }, `${name}: ${work.what} in ${told.ms} ms`)
        }
        t.match(await server.stop(), { stderr: '', status: 0 })
        const theirs = await serve(wire, 'kernel', ++port)
        const work = { what: 'echo', bytes: 50_000, count: 20, atOnce: 20 }
        const told = await startClient(wire, 'ours', wire.peer6, port, work, bad).told
        t.match(told, { ok: 20, ...good }, `${name}: we connect, ${told.ms} ms`)
        await theirs.stop()
        await relay.stop()
    }
})

t.test('jumbo frames', async (t) => {
    const wire = wireOf(t, { mtu: 9000 })
    const at = ++port
    const server = await serve(wire, 'ours', at)
    for (const [what, bytes] of [
        ['sink', 64 * MIB],
        ['source', 64 * MIB],
        ['echo', MIB],
    ] as const) {
        const told = await startClient(wire, 'kernel', wire.our4, at, { what, bytes }).told
        t.match(told, { ok: 1, ...good }, `${what} in ${told.ms} ms`)
    }
    const sizes = [1473, 8972, 8973, 30_000, 65_507]
    const told = await startEnd(wire, 'kernel', ['datagrams', wire.our4, at, ...sizes]).told
    t.match(told, { ok: sizes.length, lost: 0, altered: 0 }, 'datagrams')
    t.match(await server.stop(), { open: 0, stderr: '', status: 0 })
})

t.test('socket files of killed processes are no obstacle', async (t) => {
    const wire = wireOf(t)
    for (const device of ['memif', 'vhost']) {
        const path = join(tmpdir(), `phw-${process.pid}-${device}.sock`)
        t.teardown(() => rmSync(path, { force: true }))
        const role = device === 'memif' ? ',role=server' : ''
        const env = { PRONGHORN_PORT: `${device},path=${path}${role},address=10.88.0.1/24` }
        for (const round of [1, 2, 3]) {
            const server = await serve(wire, 'ours', ++port, env)
            t.equal(server.child.exitCode, null, `${device}, start ${round}`)
            t.ok(existsSync(path), 'its socket is there')
            server.child.kill(round < 3 ? 'SIGKILL' : 'SIGTERM')
            await server.told
        }
    }
})

function startRelay(a: string, b: string, ...numbers: number[]) {
    const child = spawn(program('relay'), [a, b, ...numbers.map(String), '1'], {
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    return { ready: once(child.stdout, 'data'), stop: () => end(child) }
}
