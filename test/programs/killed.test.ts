// SPDX-License-Identifier: Apache-2.0
/*
 * kill -9 of either end. A killed process of ours takes its stack along: the address is silent, as that of
 * a machine without power. What is started next on it resets what it does not know, and serves.
 */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { end } from '../../tools/net/commands.js'
import { runShimmed, startShimmed } from '../preload/support.js'
import { fetchFrom, fixture, kill, nodeOf, scratch, serve, start, until } from './support.js'

const wire = start('redis-server', 'nginx', 'memcached', 'iperf3', 'socat', 'java', 'javac', 'curl')
const folder = scratch()
const ours = { PRONGHORN_PORT: wire.port }
const compiled = spawnSync('javac', ['-d', folder, fixture('Echo.java')])
writeFileSync(join(folder, 'large'), Buffer.alloc(50_000_000, 'x'))
writeFileSync(
    join(folder, 'nginx.conf'),
    `worker_processes 1; daemon off; pid ${folder}/pid; error_log stderr; events { worker_connections 64; }
    http { access_log off; keepalive_timeout 60; client_body_temp_path ${folder}; proxy_temp_path ${folder};
    fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
    server { listen 8051; location / { return 200 hello; } } }`,
)

/* Somebody on the kernel's side with an open connection. */
class Peer {
    readonly child: ChildProcess
    readonly #lines: AsyncIterator<string>
    constructor(port: number, text: string) {
        const args = [fixture('peer.py'), wire.our4, `${port}`, text]
        this.child = wire.spawn('/usr/bin/python3', args, { stdio: ['pipe', 'pipe', 'inherit'] })
        this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
    }
    async says(): Promise<string> {
        return (await this.#lines.next()).value
    }
    ask(what: 'listen' | 'speak'): Promise<string> {
        this.child.stdin!.write(`${what}\n`)
        return this.says()
    }
}

/* Each with a port of its own; those that npm does not give are left out. */
const nodes = [20, 22, 24].flatMap((major): [string, number][] => {
    const node = nodeOf(major)
    return node === undefined ? [] : [[node, 8080 + major]]
})
const get = 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'
const redis = ['--port', '8050', '--save', '', '--protected-mode', 'no', '--dir', folder]
const socat = { PRONGHORN_ROUTE: 'ours,process=socat,use=listen' }
/* What they are told, and answer with something. */
type Server = [string, string[], number, string, Record<string, string>?]
const servers: Server[] = [
    ['redis-server', redis, 8050, 'PING\\r\\n'],
    ['nginx', ['-c', join(folder, 'nginx.conf')], 8051, get],
    ['memcached', ['-u', 'root', '-p', '8052'], 8052, 'version\\r\\n'],
    ['/usr/bin/python3', ['-m', 'http.server', '8053'], 8053, get],
    ...nodes.map(([node, port]): Server => [node, [fixture('http.cjs'), 'serve', `${port}`], port, get]),
    ['java', ['-Xmx128m', '-cp', folder, 'Echo', 'nio', '8055'], 8055, 'hello'],
    ['iperf3', ['-s', '-p', '8057'], 8057, '0123456789'.repeat(4).slice(3)],
    ['socat', ['TCP-LISTEN:8058,reuseaddr', 'PIPE'], 8058, 'hello', socat],
]
/* These answer once and then wait for more, or end the conversation. */
const speaksOnce = new Set(['iperf3', '/usr/bin/python3'])

for (const [command, args, port, text, env] of servers) {
    t.test(`${command} is killed, and started again on the same port`, async (t) => {
        const begin = () => serve(wire, command, args, () => true, env)
        let server = await begin()
        const first = new Peer(port, text)
        t.equal(await first.says(), 'answered')
        await kill(server)
        if (!speaksOnce.has(command)) t.equal(await first.ask('listen'), 'silence', 'nobody tells its client')
        server = await begin()
        const second = new Peer(port, text)
        t.equal(await second.says(), 'answered', 'it serves again')
        if (!speaksOnce.has(command))
            t.equal(await first.ask('speak'), 'reset', 'and knows nothing of before')
        await kill(second)
        if (command === 'socat') {
            await kill(server) // it serves one and ends
            server = await begin()
        }
        const third = new Peer(port, text)
        t.equal(await third.says(), 'answered', 'after its client was killed')
        await kill(third)
        await kill(first)
        await kill(server)
    })
}

t.test('clients of ours are killed, and started again', async (t) => {
    const http = ['-m', 'http.server', '-d', folder, '8061']
    const python = wire.spawn('/usr/bin/python3', http, { stdio: 'ignore' })
    t.ok(
        await until(async () => (await wire.run('curl', ['-sI', `http://${wire.peer4}:8061/`])).status === 0),
    )
    const database = wire.spawn('redis-server', redis, { stdio: 'ignore' })
    const large = ['-sS', '-m', '60', '-o', join(folder, 'got'), `http://${wire.peer4}:8061/large`]
    const cli = ['-h', wire.peer4, '-p', '8050']
    const established = async (port: number) => {
        const { stdout } = await wire.run('ss', ['-Htn', 'state', 'established', `sport = :${port}`])
        return stdout.split('\n').filter(Boolean).length
    }
    for (const [command, hold, again, port] of [
        ['curl', ['--limit-rate', '100k', ...large], large, 8061],
        ['redis-cli', [...cli, 'subscribe', 'x'], [...cli, 'publish', 'x', '1'], 8050],
    ] as [string, string[], string[], number][]) {
        const client = startShimmed(command, hold, ours)
        t.ok(await until(async () => (await established(port)) === 1), `${command} is connected`)
        await kill({ child: client })
        t.equal(await established(port), 1, 'its server does not know yet')
        const result = await runShimmed(command, again, ours, { timeoutMs: 60_000 })
        t.match(result, { status: 0, stderr: '' }, `${command} again`)
    }
    // What the dead had is reset as soon as its server speaks while there is a stack again.
    const keeper = startShimmed('redis-cli', [...cli, 'subscribe', 'y'], ours)
    const known = async () => (await established(8061)) === 0 && (await established(8050)) === 1
    t.ok(await until(known, 60_000), 'and nothing of the dead is left at their servers')
    await kill({ child: keeper })
    await end(python)
    await end(database)
})

/* What it is, the server's port, how it is held, what it is asked when it is started again, what it says. */
type Client = [string, string, string[], string[], RegExp]

t.test('more clients of ours', async (t) => {
    const text = 'abcdefghij'.repeat(50_000)
    writeFileSync(join(folder, 'text'), text)
    const quiet = { stdio: 'ignore' } as const
    const servers = [
        wire.spawn('/usr/bin/python3', ['-m', 'http.server', '-d', folder, '8063'], quiet),
        wire.spawn('java', ['-Xmx128m', '-cp', folder, 'Echo', 'nio', '8064'], quiet),
        // (It serves one at a time, and only its own time-out tells it that this one is dead.)
        wire.spawn('iperf3', ['-s', '-p', '8065', '--rcv-timeout', '500'], quiet),
    ]
    const to = wire.peer4
    const connected = async (port: string) =>
        (await wire.run('ss', ['-Htn', 'state', 'established', `sport = :${port}`])).stdout !== ''
    const listens = async (port: string) =>
        (await wire.run('ss', ['-Htln', `sport = :${port}`])).stdout !== ''
    const echo = ['-Xmx128m', '-cp', folder, 'Echo', 'client', to, '8064', '4']
    // (Room for what it sends and gets: without, it ends by itself, now and then before it is connected.)
    const heldJava = ['-Xmx512m', '-cp', folder, 'Echo', 'client', to, '8064', '2', '50000000']
    const hold = `import socket, time; s = socket.create_connection(("${to}", 8063)); time.sleep(60)`
    const get = `fetch("http://${to}:8063/text").then((r) => r.text()).then((t) => console.log(t.length))`
    const threaded = [fixture('threaded.py'), to, '8063', '2', '2', `${text.length}`]
    const input = 'GET /text HTTP/1.0\r\n\r\n'
    for (const [command, port, held, again, said] of [
        ['/usr/bin/python3', '8063', ['-c', hold], threaded, /^4 answers/],
        ...nodes.map(([node]): Client => {
            const hold = `require("node:net").connect(8063, "${to}")`
            return [node, '8063', ['-e', hold], ['-e', get], /^500000/]
        }),
        ['socat', '8063', ['-', `TCP:${to}:8063`], ['-t', '9', '-', `TCP:${to}:8063`], /abcdefghij$/],
        ['java', '8064', heldJava, [...echo, '100000'], /^4 echoes/],
        [
            'iperf3',
            '8065',
            ['-c', to, '-p', '8065', '-t', '60'],
            ['-c', to, '-p', '8065', '-n', '1M'],
            /Done/,
        ],
    ] as Client[]) {
        t.ok(await until(() => listens(port)))
        const client = startShimmed(command, held, ours, { stdio: ['pipe', 'ignore', 'ignore'] })
        t.ok(await until(() => connected(port)), `${command} is connected`)
        await kill({ child: client })
        // Whoever asks iperf3's server meanwhile is told that it is busy, and begins its time-out anew.
        if (command === 'iperf3') t.ok(await until(async () => !(await connected(port))), 'it lets go')
        const works = async () => said.test((await runShimmed(command, again, ours, { input })).stdout)
        t.ok(await until(works, 60_000), `${command} was killed, and works again`)
    }
    for (const server of servers) await end(server)
})

t.test('nothing is left', async (t) => {
    t.equal(compiled.status, 0)
    const result = await runShimmed('curl', ['-s', '-m', '1', `http://${wire.peer4}:1/`], ours)
    t.equal(result.status, 7, 'a start finds what the killed left')
    // (Statistics and flight recorders of the dead are meant to be read for a while.)
    const dead = (name: string) => {
        const pid = /^pronghorn\.(\d+)\.console$/.exec(name)?.[1]
        return pid !== undefined && !existsSync(`/proc/${pid}`)
    }
    t.strictSame(readdirSync('/dev/shm').filter(dead), [])
    const pages = existsSync('/dev/hugepages') ? readdirSync('/dev/hugepages') : []
    t.strictSame(
        pages.filter((name) => /^rtemap/.test(name)),
        [],
        'no files of hugepages',
    )
    t.match(await fetchFrom(wire, `http://${wire.our4}:8051/`, '-m', '1'), { status: 28 }, 'nor a process')
})
