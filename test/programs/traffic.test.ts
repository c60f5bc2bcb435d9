// SPDX-License-Identifier: Apache-2.0
// iperf3 in all its ways, Node as an unmodified program, memcached, socat.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runShimmed } from '../preload/support.js'
import { fetchFrom, kill, scratch, serve, start } from './support.js'

const wire = start('iperf3', 'memcached', 'socat', 'curl', 'python3')
const folder = scratch()

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

t.test('node: a server with worker threads, and a client', async (t) => {
    const server = join(folder, 'server.js')
    writeFileSync(
        server,
        `const { Worker, isMainThread, parentPort } = require('node:worker_threads')
        if (isMainThread) {
            const worker = new Worker(__filename)
            require('node:http').createServer((request, response) => {
                worker.postMessage(request.url)
                worker.once('message', (text) => response.end(text))
            }).listen(8080)
        } else parentPort.on('message', (url) => parentPort.postMessage('from a worker: ' + url))`,
    )
    const probe = async () => (await fetchFrom(wire, `http://${wire.our4}:8080/`)).status === 0
    const node = await serve(wire, process.execPath, [server], probe)
    t.match(await fetchFrom(wire, `http://${wire.our4}:8080/x`), { stdout: 'from a worker: /x' })
    t.match(await fetchFrom(wire, `http://[${wire.our6}]:8080/y`, '-g'), { stdout: 'from a worker: /y' })
    await kill(node)
    wire.spawn(process.execPath, ['-e', "require('http').createServer((q, r) => q.pipe(r)).listen(8081)"], {
        stdio: 'ignore',
    })
    const client = `const http = require('node:http'); const body = 'abc'.repeat(100000)
        const ask = (n) => { const r = http.request({ host: '${wire.peer4}', port: 8081, method: 'POST' }, (a) => {
            let text = ''; a.on('data', (d) => (text += d)); a.on('end', () => console.log(text === body)) })
            r.on('error', (e) => n ? setTimeout(ask, 300, n - 1) : console.log(e.code)); r.end(body) }; ask(20)`
    const result = await runShimmed(process.execPath, ['-e', client], { PRONGHORN_PORT: wire.port })
    t.match(result, { status: 0, stdout: 'true\n' }, result.stderr)
})

t.test('memcached', async (t) => {
    const session = 'set k 0 0 5\\r\\nhello\\r\\nget k\\r\\nquit\\r\\n'
    const talk = () => wire.run('sh', ['-c', `printf '${session}' | socat -t 5 - TCP:${wire.our4}:21211`])
    const probe = async () => (await talk()).stdout.includes('hello')
    const server = await serve(wire, 'memcached', ['-u', 'root', '-p', '21211', '-t', '2'], probe)
    t.equal((await talk()).stdout, 'STORED\r\nVALUE k 0 5\r\nhello\r\nEND\r\n')
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
