// SPDX-License-Identifier: Apache-2.0
// Language runtimes: a threaded client of Python's, OpenJDK's channels, Node 20, 22 and 24.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { end } from '../../tools/net/commands.js'
import { runShimmed } from '../preload/support.js'
import { fetchFrom, fixture, kill, nodeOf, scratch, serve, start } from './support.js'

const wire = start('curl', '/usr/bin/python3', 'javac', 'java')
const ours = { PRONGHORN_PORT: wire.port }
const folder = scratch()

t.test('python: threads that ask the kernel, and are asked by it', async (t) => {
    const client = fixture('threaded.py')
    const port = ['-m', 'http.server', '-d', folder]
    const text = 'abcdefghij'.repeat(50_000)
    writeFileSync(join(folder, 'text'), text)
    wire.spawn('/usr/bin/python3', [...port, '8011'], { stdio: 'ignore' })
    const theirs = await runShimmed(
        '/usr/bin/python3',
        [client, wire.peer4, '8011', '8', '25', `${text.length}`],
        ours,
        { timeoutMs: 60_000 },
    )
    t.match(theirs, { status: 0, stdout: '200 answers\n', stderr: '' }, 'we ask')
    const probe = async () => (await fetchFrom(wire, `http://${wire.our4}:8012/text`, '-I')).status === 0
    const server = await serve(wire, '/usr/bin/python3', [...port, '8012'], probe)
    const args = [client, wire.our4, '8012', '8', '25', `${text.length}`]
    const back = await wire.run('/usr/bin/python3', args, { timeoutMs: 60_000 })
    t.match(back, { status: 0, stdout: '200 answers\n', stderr: '' }, 'we answer')
    await kill(server)
})

t.test('OpenJDK: selectors, channels and streams', async (t) => {
    const compiled = spawnSync('javac', ['-d', folder, fixture('Echo.java')], { encoding: 'utf8' })
    t.equal(compiled.status, 0, compiled.stderr)
    const java = ['-Xmx128m', '-cp', folder, 'Echo']
    const ready = (said: string) => said.includes('ready')
    for (const kind of ['nio', 'blocking']) {
        const server = await serve(wire, 'java', [...java, kind, '8021'], ready)
        for (const host of [wire.our4, wire.our6]) {
            const result = await wire.run('java', [...java, 'client', host, '8021', '10', '200000'], {
                timeoutMs: 60_000,
            })
            t.match(
                result,
                { status: 0, stdout: '10 echoes\n' },
                `${kind}: we answer on ${host}: ${result.stderr}`,
            )
        }
        await kill(server)
        const theirs = wire.spawn('java', [...java, kind, '8022'], { stdio: 'ignore' })
        for (const host of [wire.peer4, wire.peer6]) {
            const result = await runShimmed('java', [...java, 'client', host, '8022', '10', '200000'], ours, {
                timeoutMs: 60_000,
            })
            t.match(result, { status: 0, stdout: '10 echoes\n' }, `${kind}: we ask ${host}: ${result.stderr}`)
        }
        await end(theirs)
    }
})

for (const major of [20, 22, 24]) {
    t.test(`Node ${major}: a server with worker threads, and a client`, async (t) => {
        const node = nodeOf(major)
        if (node === undefined) return t.pass('skipped', { skip: 'its npm package cannot be had here' })
        const port = `${8000 + major}`
        const program = fixture('http.cjs')
        const url = `http://${wire.our4}:${port}`
        const probe = async () => (await fetchFrom(wire, `${url}/`)).status === 0
        const server = await serve(wire, node, [program, 'serve', port], probe)
        t.match(await fetchFrom(wire, `${url}/x`), { stdout: `v${major} worker: /x` })
        t.match(await fetchFrom(wire, `http://[${wire.our6}]:${port}/y`, '-g'), {
            stdout: `v${major} worker: /y`,
        })
        const kernels = await wire.run(node, [program, 'ask', wire.our4, port], { timeoutMs: 30_000 })
        t.match(kernels, { status: 0, stdout: '100 echoes\n' }, `the kernel asks: ${kernels.stderr}`)
        await kill(server)
        wire.spawn(node, [program, 'serve', port], { stdio: 'ignore' })
        for (const where of ['ask', 'ask-in-workers']) {
            const result = await runShimmed(node, [program, where, wire.peer4, port], ours, {
                timeoutMs: 30_000,
            })
            t.match(result, { status: 0, stdout: '100 echoes\n', stderr: '' }, `${where}: ${result.stderr}`)
        }
    })
}
