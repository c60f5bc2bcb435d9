// SPDX-License-Identifier: Apache-2.0
// Programs on our stacks at both ends: iperf3, redis, and an nginx before another nginx.
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runShimmed } from '../preload/support.js'
import { fetchFrom, kill, scratch, serve, start, startPair } from './support.js'

const wire = start('nginx', 'curl', 'iperf3', 'redis-server', 'redis-benchmark', 'redis-cli')
const pair = startPair()
const folder = scratch()
const near = { PRONGHORN_PORT: pair.ports[0] }
const far = { PRONGHORN_PORT: pair.ports[1] }

t.test('iperf3', async (t) => {
    const server = await serve(
        wire,
        'iperf3',
        ['-s', '-p', '5301', '--forceflush'],
        (said) => /listening/.test(said),
        far,
    )
    for (const [args, least] of [
        [[], 10_000_000],
        [['-R'], 10_000_000],
        [['-P', '4'], 10_000_000],
        [['--bidir'], 10_000_000],
        [['-Z'], 10_000_000],
        [['-6'], 10_000_000],
        [['-u', '-b', '20M'], 1_000_000],
        [['-u', '-b', '20M', '-R'], 1_000_000],
    ] as [string[], number][]) {
        const name = args.join(' ') || 'plain'
        const to = args.includes('-6') ? pair.addresses6[1] : pair.addresses4[1]
        const result = await runShimmed('iperf3', ['-c', to, '-p', '5301', '-t', '1', '-J', ...args], near, {
            timeoutMs: 30_000,
        })
        t.match(result, { status: 0, stderr: '' }, `${name}: ${result.status === 0 ? '' : result.stdout}`)
        const { end } = JSON.parse(result.stdout)
        t.ok(
            (end.sum_received ?? end.sum).bytes > least,
            `${name}: ${(end.sum_received ?? end.sum).bytes} bytes`,
        )
        if (args[0] === '-u') t.ok(end.sum.lost_percent < 5, `${name}: ${end.sum.lost_percent} % lost`)
    }
    await kill(server)
})

t.test('redis', async (t) => {
    const args = ['--port', '7379', '--save', '', '--protected-mode', 'no', '--dir', folder]
    const server = await serve(wire, 'redis-server', args, (said) => /Ready to accept/.test(said), far)
    const to = ['-h', pair.addresses4[1], '-p', '7379']
    const cli = async (...more: string[]) =>
        (await runShimmed('redis-cli', [...to, ...more], near, { timeoutMs: 20_000 })).stdout.trim()
    const value = randomBytes(40_000).toString('hex')
    t.equal(await cli('set', 'key', value), 'OK')
    for (const more of [
        ['-n', '10000', '-c', '50'],
        ['-n', '30000', '-c', '20', '-P', '16'],
        ['-n', '1000', '-c', '10', '-d', '20000'],
        ['-n', '10000', '-c', '50', '--threads', '2'],
    ]) {
        const result = await runShimmed('redis-benchmark', [...to, '-q', '-t', 'set,get', ...more], near, {
            timeoutMs: 60_000,
        })
        t.match(result, { status: 0, stdout: /GET: [\d.]+ requests/, stderr: '' }, more.join(' '))
    }
    t.equal(await cli('get', 'key'), value)
    t.equal(await server.stop(), 0, server.said())
})

t.test('an nginx before another', async (t) => {
    const data = randomBytes(3_000_000)
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    chmodSync(folder, 0o755)
    writeFileSync(join(folder, 'file'), data)
    function settings(name: string, servers: string): string[] {
        const own = join(folder, name)
        mkdirSync(own)
        chmodSync(own, 0o777)
        const path = join(folder, `${name}.conf`)
        writeFileSync(
            path,
            `worker_processes 1; daemon off; pid ${own}/pid; error_log stderr warn;
            events { worker_connections 256; }
            http { access_log off; sendfile on; client_body_temp_path ${own}; proxy_temp_path ${own};
            client_max_body_size 100m; fastcgi_temp_path ${own}; uwsgi_temp_path ${own}; scgi_temp_path ${own};
            ${servers} }`,
        )
        return ['-c', path]
    }
    const behindSettings = settings(
        'behind',
        `server { listen 8091; root ${folder}; location /echo { return 200 $request_method; } }`,
    )
    const startBehind = () => serve(wire, 'nginx', behindSettings, () => true, far)
    let behind = await startBehind()
    const before = settings(
        'before',
        `upstream behind { server ${pair.addresses4[1]}:8091; keepalive 8; }
        server { listen 8090; location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_connect_timeout 2s; proxy_read_timeout 2s;
        proxy_set_header Connection ""; } }`,
    )
    const url = `http://${wire.our4}:8090`
    const probe = async () =>
        /^2/.test(
            (await fetchFrom(wire, `${url}/file`, '-I', '-o', '/dev/null', '-w', '%{http_code}')).stdout,
        )
    const proxy = await serve(wire, 'nginx', before, probe, {
        PRONGHORN_PORT: `${wire.port};${pair.ports[0]}`,
    })
    const out = join(folder, 'out')
    for (let i = 0; i < 3; i++) {
        await fetchFrom(wire, `${url}/file`, '-o', out)
        t.equal(digest(readFileSync(out)), digest(data), 'through both')
    }
    const many = Array.from({ length: 20 }, () => `${url}/file`)
    const result = await wire.run('curl', [
        '-sS',
        '-m',
        '30',
        '--parallel',
        ...many.flatMap((u) => ['-o', '/dev/null', u]),
        '-w',
        '%{http_code} %{size_download}\n',
    ])
    t.equal(result.stdout, '200 3000000\n'.repeat(20), 'twenty at once')
    t.match(
        await fetchFrom(wire, `${url}/echo`, '--data-binary', `@${folder}/file`),
        { stdout: 'POST' },
        'and uploads',
    )
    // A stack that is gone answers nothing, as a machine without power: there is no kernel to do so.
    await kill(behind)
    const gone = await fetchFrom(wire, `${url}/file`, '-o', '/dev/null', '-w', '%{http_code}')
    t.equal(gone.stdout, '504', 'the one behind is killed')
    behind = await startBehind()
    for (const began = performance.now(); !(await probe()) && performance.now() - began < 30_000; );
    await fetchFrom(wire, `${url}/file`, '-o', out)
    t.equal(digest(readFileSync(out)), digest(data), 'and came again')
    await kill(behind)
    await proxy.stop()
})
