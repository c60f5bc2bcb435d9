// SPDX-License-Identifier: Apache-2.0
// iperf3 in all its ways, socat.
import t from 'tap'
import { run } from '../../tools/net/commands.js'
import { runShimmed } from '../preload/support.js'
import { kill, serve, start } from './support.js'

const wire = start('iperf3', 'socat')

t.test('iperf3', async (t) => {
    const client = (...args: string[]) =>
        wire.run('iperf3', ['-c', wire.our4, '-t', '1', '-J', ...args], { timeoutMs: 30_000 })
    const probe = async () => (await client()).status === 0
    const server = await serve(wire, 'iperf3', ['-s'], probe)
    for (const args of [
        [],
        ['-R'],
        ['-P', '4'],
        ['--bidir'],
        ['-Z'],
        ['-u', '-b', '20M'],
        ['-u', '-b', '20M', '-R'],
    ]) {
        const { status, stdout } = await client(...args)
        t.equal(status, 0, `${args.join(' ') || 'plain'}: ${status === 0 ? '' : stdout}`)
        const { end } = JSON.parse(stdout)
        t.ok((end.sum_received ?? end.sum).bytes > 100_000, 'bytes went through')
    }
    await kill(server)
})

t.test('socat as a client', async (t) => {
    wire.spawn('socat', ['TCP-LISTEN:9000,fork,reuseaddr', 'EXEC:cat'], { stdio: 'ignore' })
    const to = `TCP:${wire.peer4}:9000,retry=20,interval=0.3`
    const result = await runShimmed(
        'socat',
        ['-t', '5', '-', to],
        { PRONGHORN_PORT: wire.port },
        { input: 'through\n' },
    )
    t.match(result, { status: 0, stdout: 'through\n' }, result.stderr)
})

t.test("socat serves each connection in a child: its listener is the kernel's", async (t) => {
    const listen = ['TCP-LISTEN:9001,fork,reuseaddr', 'EXEC:cat']
    const talk = () => run('socat', ['-t', '5', '-', 'TCP:127.0.0.1:9001'], { input: 'local\n' })
    const probe = async () => (await talk()).stdout === 'local\n'
    const server = await serve(wire, 'socat', listen, probe)
    const all = await Promise.all([talk(), talk(), talk()])
    t.strictSame(
        all.map(({ stdout }) => stdout),
        ['local\n', 'local\n', 'local\n'],
    )
    const over = ['-t', '5', '-', `TCP:${wire.our4}:9001,connect-timeout=5`]
    t.match(await wire.run('socat', over, { input: 'x\n' }), { status: 1 }, 'nobody listens on our address')
    await kill(server)
})

t.test('socat with a rule: one connection, served by itself', async (t) => {
    const rule = { PRONGHORN_ROUTE: 'ours,process=socat,use=listen' }
    const server = await serve(wire, 'socat', ['TCP-LISTEN:9002,reuseaddr', 'PIPE'], () => true, rule)
    const to = ['-t', '5', '-', `TCP:${wire.our4}:9002,retry=50,interval=0.2`]
    const text = 'abcdefghi\n'.repeat(20_000)
    const { stdout } = await wire.run('socat', to, { input: text, timeoutMs: 30_000 })
    t.ok(stdout === text, `${stdout.length} bytes came back`)
    await kill(server)
})
