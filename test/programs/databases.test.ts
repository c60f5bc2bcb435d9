// SPDX-License-Identifier: Apache-2.0
// ioredis and pg on our stack, redis-server and PostgreSQL on the kernel's: docs/typescript.md, "Libraries".
import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AbstractConnector, Redis } from 'ioredis'
import pg from 'pg'
import t from 'tap'
import { connect, Socket } from '../../lib/net/index.js'
import { end } from '../../tools/net/commands.js'
import { certificate } from '../certificate.js'
import { skipWithoutWires, startStack } from '../net/support/stack.js'

const PATIENCE_MS = 240_000
const big = 'x'.repeat(300_000)

skipWithoutWires()
t.setTimeout(PATIENCE_MS)
const wire = startStack()

/* Until it answers; the runner's time limit ends a vain wait. */
async function until(works: () => Promise<unknown>): Promise<void> {
    for (;;) {
        try {
            await works()
            return
        } catch {
            await sleep(100)
        }
    }
}

const isThere = (name: string) => spawnSync('which', [name]).status === 0
const noRedis = isThere('redis-server') ? false : 'redis-server is not installed'

t.test('ioredis', { skip: noRedis }, async (t) => {
    const port = 7380
    class Connector extends AbstractConnector {
        constructor(options: unknown) {
            super((options as { disconnectTimeout: number }).disconnectTimeout)
        }

        async connect() {
            this.stream = connect(port, wire.peer4)
            return this.stream
        }
    }
    const args = ['--port', String(port), '--save', '', '--protected-mode', 'no', '--bind', wire.peer4]
    const server = wire.spawn('redis-server', args, { stdio: 'ignore' })
    const redis = new Redis({ Connector, maxRetriesPerRequest: null })
    redis.on('error', () => {})
    t.equal(await redis.ping(), 'PONG', 'it comes back until the server is there')
    t.match(await redis.client('INFO'), new RegExp(`addr=${wire.our4}:`), 'the server sees our address')
    await redis.set('key', big)
    t.equal(await redis.get('key'), big)
    const line = redis.pipeline()
    for (let i = 0; i < 1000; i++) line.incr('counter')
    t.equal((await line.exec())?.at(-1)?.[1], 1000, 'a pipeline of a thousand')
    const subscriber = redis.duplicate()
    await subscriber.subscribe('prices')
    const message = new Promise((resolve) => subscriber.once('message', (...got) => resolve(got)))
    await redis.publish('prices', 'up')
    t.strictSame(await message, ['prices', 'up'])
    await Promise.all([subscriber.quit(), redis.quit()])
    await end(server)
})

const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : []
const binaries = versions
    .map((name) => `/usr/lib/postgresql/${name}/bin`)
    .find((path) => existsSync(`${path}/initdb`))

t.test('pg', { skip: binaries ? false : 'PostgreSQL is not installed' }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'pronghorn-postgres-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const data = join(folder, 'data')
    const pair = certificate('postgres.test')
    writeFileSync(join(folder, 'password'), 'secret\n')
    for (const name of ['key', 'cert'] as const)
        writeFileSync(join(folder, name), pair[name], { mode: 0o600 })
    // PostgreSQL refuses to run as root.
    const as = ['--reuid=postgres', '--regid=postgres', '--clear-groups']
    spawnSync('chown', ['-R', 'postgres', folder])
    const made = spawnSync(
        'setpriv',
        [
            ...as,
            `${binaries}/initdb`,
            '-D',
            data,
            '--auth=scram-sha-256',
            '--pwfile',
            join(folder, 'password'),
            '-N',
        ],
        { encoding: 'utf8', cwd: folder },
    )
    t.equal(made.status, 0, 'initdb', { text: made.stderr })
    appendFileSync(join(data, 'pg_hba.conf'), 'host all all 0.0.0.0/0 scram-sha-256\n')
    const port = 7432
    const set = {
        listen_addresses: wire.peer4,
        port,
        unix_socket_directories: folder,
        fsync: 'off',
        ssl: 'on',
    }
    const settings = { ...set, ssl_key_file: join(folder, 'key'), ssl_cert_file: join(folder, 'cert') }
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const server = wire.spawn('setpriv', [...as, `${binaries}/postgres`, '-D', data, ...args], {
        stdio: 'ignore',
        cwd: folder,
    })

    const place = { host: wire.peer4, port, user: 'postgres', password: 'secret', database: 'postgres' }
    for (const [how, ssl] of [
        ['plain', false],
        ['TLS', { ca: pair.cert, servername: 'postgres.test' }],
    ] as const) {
        const options = { ...place, ssl, stream: () => new Socket(), max: 10 }
        await until(async () => {
            const client = new pg.Client(options)
            client.on('error', () => {})
            await client.connect()
            await client.end()
        })
        const pool = new pg.Pool(options)
        const { rows } = await pool.query(
            'select host(inet_client_addr()) as us, ssl from pg_stat_ssl where pid = pg_backend_pid()',
        )
        t.strictSame(rows, [{ us: wire.our4, ssl: ssl !== false }], `${how}: the server sees our address`)
        const echoed = await pool.query('select $1::text as back', [big])
        t.equal(echoed.rows[0].back === big, true, '300,000 bytes there and back')
        const many = await Promise.all(
            Array.from({ length: 100 }, (_, i) => pool.query('select $1::int * 2 as twice', [i])),
        )
        t.ok(
            many.every(({ rows }, i) => rows[0].twice === 2 * i),
            'a hundred at once, ten connections',
        )
        const all = await pool.query('select n from generate_series(1, 20000) n')
        t.equal(all.rows.length, 20_000, 'a long answer')
        await t.rejects(pool.query('select nothing'), { code: '42703' }, 'an error of the server')
        await pool.end()
    }
    const gone = new pg.Client({ ...place, stream: () => new Socket() })
    await gone.connect()
    const lost = new Promise((resolve) => gone.once('error', resolve))
    server.kill('SIGINT')
    t.match(
        await lost,
        { message: /terminating connection|Connection terminated/ },
        'a server that goes is noticed',
    )
    await gone.end().catch(() => {})
    await end(server)
})
