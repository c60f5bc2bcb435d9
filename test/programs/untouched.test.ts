// SPDX-License-Identifier: Apache-2.0
/*
 * The shim with a port and rules that claim nothing: programs do exactly what they do without it, no
 * stack starts, and nothing of ours is said.
 */
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../tools/net/commands.js'
import { type Environment, shim } from '../preload/support.js'
import { childrenOf, fixture, kill, scratch, start, until } from './support.js'

const wire = start(
    'redis-server',
    'redis-benchmark',
    'nginx',
    'memcached',
    'iperf3',
    'socat',
    'java',
    'javac',
    'curl',
)
const folder = scratch()
spawnSync('javac', ['-d', folder, fixture('Echo.java')])
writeFileSync(join(folder, 'text'), 'abcdefghij'.repeat(50_000))
writeFileSync(
    join(folder, 'nginx.conf'),
    `worker_processes 2; daemon off; pid ${folder}/pid; error_log stderr; events { worker_connections 64; }
    http { access_log off; sendfile on; client_body_temp_path ${folder}; proxy_temp_path ${folder};
    fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
    server { listen 8071; root ${folder}; } }`,
)

const nothing: Environment = { PRONGHORN_PORT: wire.port, PRONGHORN_ROUTE: 'kernel', LD_PRELOAD: shim }
const worlds: [string, Environment][] = [
    ['without the shim', {}],
    ['with rules that claim nothing', nothing],
]
const under = (env: Environment, command: string, args: string[]): [string, string[]] => [
    'env',
    ['-u', 'NODE_OPTIONS', ...Object.entries(env).map(([k, v]) => `${k}=${v}`), command, ...args],
]
const http = fixture('http.cjs')
const echo = ['-Xmx128m', '-cp', folder, 'Echo']
const redis = ['--port', '8070', '--save', '', '--dir', folder]
const benchmark = ['-p', '8070', '-q', '-n', '5000', '-P', '4', '-t', 'set,get']
const url = 'http://127.0.0.1:8071/text'
/* The server; then its client, and what that one says, numbers of speed left out. */
const talks: [string, string[], string, string[]][] = [
    ['redis-server', redis, 'redis-benchmark', benchmark],
    ['nginx', ['-c', join(folder, 'nginx.conf')], 'curl', ['-sS', url]],
    ['memcached', ['-u', 'root', '-p', '8072'], 'socat', ['-', 'TCP:127.0.0.1:8072']],
    ['iperf3', ['-s', '-p', '8073'], 'iperf3', ['-c', '127.0.0.1', '-p', '8073', '-n', '1M', '-J']],
    [
        '/usr/bin/python3',
        ['-m', 'http.server', '-d', folder, '8074'],
        '/usr/bin/python3',
        [fixture('threaded.py'), '127.0.0.1', '8074', '4', '5', '500000'],
    ],
    [
        process.execPath,
        [http, 'serve', '8075'],
        process.execPath,
        [http, 'ask-in-workers', '127.0.0.1', '8075'],
    ],
    ['java', [...echo, 'nio', '8076'], 'java', [...echo, 'client', '127.0.0.1', '8076', '5', '100000']],
    [
        'socat',
        ['TCP-LISTEN:8077,reuseaddr,fork', 'EXEC:cat'],
        'socat',
        ['-t', '5', '-', 'TCP:127.0.0.1:8077'],
    ],
]
const words: Record<string, (said: string) => string> = {
    iperf3: (said) => `${JSON.parse(said).end.sum_sent.bytes} bytes`,
    'redis-benchmark': (said) =>
        [...said.matchAll(/(SET|GET): [\d.]+ requests/g)].map(([, what]) => what).join(),
}
const input = 'set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n'

for (const [server, args, client, clientArgs] of talks) {
    t.test(`${server} and ${client}`, async (t) => {
        const said: string[] = []
        for (const [world, env] of worlds) {
            const child = spawn(...under(env, server, args), { stdio: ['ignore', 'pipe', 'pipe'] })
            t.teardown(() => kill({ child }))
            let complaints = ''
            for (const stream of [child.stdout, child.stderr]) {
                stream.on('data', (data) => {
                    complaints += data
                })
            }
            const port = /\b80[67]\d\b/.exec(clientArgs.join(' '))?.[0]
            const listens = async () => (await run('ss', ['-Hltn', `sport = :${port}`])).stdout !== ''
            t.ok(await until(listens), `${server} listens`)
            const result = await run(...under(env, client, clientArgs), { input, timeoutMs: 60_000 })
            const { status, stdout, stderr } = result
            t.equal(status, 0, `${world}: ${status === 0 ? '' : complaints + stderr}`)
            t.notMatch(complaints + stderr, /pronghorn/)
            said.push(words[client]?.(stdout) ?? stdout)
            const pids = [child.pid, ...childrenOf(child.pid)]
            const segments = readdirSync('/dev/shm').filter((name) =>
                pids.some((pid) => name === `pronghorn.${pid}`),
            )
            t.strictSame(segments, [], 'no stack was started')
            await kill({ child })
        }
        t.strictSame(said[1], said[0], 'the same words')
    })
}
