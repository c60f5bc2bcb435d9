// SPDX-License-Identifier: Apache-2.0
// nginx (two workers, TLS, proxy), Python's server and curl on our stack.
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../tools/net/commands.js'
import { runShimmed } from '../preload/support.js'
import { childrenOf, fetchFrom, kill, scratch, serve, start, until } from './support.js'

const wire = start('nginx', 'curl', 'openssl', '/usr/bin/python3')
const folder = scratch()
const data = randomBytes(3_000_000)
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
chmodSync(folder, 0o755)
writeFileSync(join(folder, 'file'), data)
const key = ['-keyout', join(folder, 'key'), '-out', join(folder, 'cert')]
spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    '-subj',
    '/CN=test',
    ...key,
])

function settings(workers: number, servers: string): string {
    const path = join(folder, `nginx-${workers}.conf`)
    writeFileSync(
        path,
        `worker_processes ${workers}; daemon off; pid ${folder}/pid.${workers}; error_log stderr warn;
        events { worker_connections 256; }
        http { access_log off; sendfile on; client_body_temp_path ${folder}; proxy_temp_path ${folder};
        fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder}; ${servers} }`,
    )
    return path
}

async function download(url: string, ...more: string[]): Promise<string> {
    const out = join(folder, 'out')
    writeFileSync(out, '')
    await fetchFrom(wire, url, '-o', out, ...more)
    return digest(readFileSync(out))
}

t.test('nginx: static files, keep-alive, TLS, a proxy to the kernel, two workers', async (t) => {
    const servers = `
        server { listen 8080; listen 8443 ssl; ssl_certificate ${folder}/cert; ssl_certificate_key ${folder}/key;
            root ${folder}; location /there/ { proxy_pass http://${wire.peer4}:8000/; } }`
    const backend = wire.spawn('/usr/bin/python3', ['-m', 'http.server', '-d', folder, '8000'], {
        stdio: 'ignore',
    })
    const probe = async () => (await fetchFrom(wire, `http://${wire.our4}:8080/file`, '-I')).status === 0
    const args = ['-c', settings(2, servers)]
    const nginx = await serve(wire, 'nginx', args, probe)
    t.equal(await download(`http://${wire.our4}:8080/file`), digest(data), 'plain')
    t.equal(await download(`https://${wire.our4}:8443/file`), digest(data), 'TLS')
    t.equal(await download(`http://${wire.our4}:8080/there/file`), digest(data), 'proxied')
    const url = `http://${wire.our4}:8080/file`
    const twice = await fetchFrom(
        wire,
        url,
        '-w',
        '%{num_connects}\n',
        '-o',
        '/dev/null',
        url,
        '-o',
        '/dev/null',
    )
    t.equal(twice.stdout, '1\n0\n', 'one connection for two requests')
    // The master makes new workers, of which the first takes the address over.
    const workers = childrenOf(nginx.child.pid)
    t.equal(workers.length, 2)
    for (const pid of workers) process.kill(pid, 'SIGKILL')
    const began = performance.now()
    while (!(await probe()) && performance.now() - began < 30_000);
    t.equal(await download(`http://${wire.our4}:8080/file`), digest(data), 'workers killed, and replaced')
    await nginx.stop()
    backend.kill('SIGKILL')
})

/* Each worker has the sockets of all, and waits on its own. */
for (const workers of [1, 2]) {
    t.test(`nginx with reuseport: ${workers} of its workers`, async (t) => {
        const servers = 'server { listen 8086 reuseport; location / { return 200 $pid; } }'
        const ask = async () => (await fetchFrom(wire, `http://${wire.our4}:8086/`)).stdout
        const probe = async () => /^\d+$/.test(await ask())
        const nginx = await serve(wire, 'nginx', ['-c', settings(workers, servers)], probe)
        const first = await ask()
        for (let i = 0; i < 12; i++) t.equal(await ask(), first, 'one of them has our address')
        process.kill(Number(first), 'SIGKILL')
        t.ok(await until(async () => /^\d+$/.test(await ask()) && (await ask()) !== first), 'its successor')
        for (let i = 0; i < 12; i++) t.match(await ask(), /^\d+$/)
        const kernels = await Promise.all(
            Array.from({ length: 12 }, () => run('curl', ['-sm9', 'http://127.0.0.1:8086/'])),
        )
        t.ok(
            kernels.every(({ stdout }) => /^\d+$/.test(stdout)),
            "and all serve the kernel's side",
        )
        await nginx.stop()
    })
}

t.test("python's server, and curl as our client", async (t) => {
    const probe = async () => (await fetchFrom(wire, `http://${wire.our4}:8001/file`, '-I')).status === 0
    const python = await serve(wire, '/usr/bin/python3', ['-m', 'http.server', '-d', folder, '8001'], probe)
    t.equal(await download(`http://${wire.our4}:8001/file`), digest(data))
    await kill(python)
    wire.spawn('/usr/bin/python3', ['-m', 'http.server', '-d', folder, '-b', '::', '8002'], {
        stdio: 'ignore',
    })
    for (const host of [wire.peer4, `[${wire.peer6}]`]) {
        const out = join(folder, 'in')
        const curl = await runShimmed(
            'curl',
            [
                '-sS',
                '-m',
                '20',
                '--retry',
                '20',
                '--retry-connrefused',
                '--retry-delay',
                '1',
                '-o',
                out,
                `http://${host}:8002/file`,
            ],
            { PRONGHORN_PORT: wire.port },
        )
        t.match(curl, { status: 0 }, `curl of ${host}: ${curl.stderr}`)
        t.equal(digest(readFileSync(out)), digest(data))
    }
})
