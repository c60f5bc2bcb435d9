// SPDX-License-Identifier: Apache-2.0
/*
 * PostgreSQL serves each connection in a child, which cannot use our stack: its listener is the kernel's,
 * and we say so. Its clients can: pgbench and psql reach the kernel's PostgreSQL over our port.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { run } from '../../tools/net/commands.js'
import { build, runShimmed, startShimmed } from '../preload/support.js'
import { kill, scratch, serve, start, until } from './support.js'

/* Debian keeps each version's own programs out of the PATH. */
const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : []
const BIN = `/usr/lib/postgresql/${versions[0]}/bin`
const wire = start('setpriv', 'psql', 'pgbench')
if (!existsSync(`${BIN}/postgres`)) {
    t.plan(0, `no ${BIN}/postgres`)
    process.exit(0)
}
const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = scratch()
const data = join(folder, 'data')
const user = (name: string) => Number(spawnSync('id', [name, 'postgres'], { encoding: 'utf8' }).stdout)
const [uid, gid] = [user('-u'), user('-g')]
chmodSync(folder, 0o755)
chownSync(folder, uid, gid)

/* It refuses to run as root. */
const asUser = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']
const initialised = spawnSync(
    asUser[0]!,
    [...asUser.slice(1), `${BIN}/initdb`, '-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync'],
    { encoding: 'utf8' },
)
const settings = (port: string) => [
    ...['-D', data, '-p', port, '-k', folder, '-h', '*', '-F', '-c', 'dynamic_shared_memory_type=mmap'],
]
/* Everybody may connect: the wire ends here. */
spawnSync('sh', ['-c', `echo 'host all all all trust' >> ${data}/pg_hba.conf`])
const query = (host: string, port: string, text: string) => [
    ...['-h', host, '-p', port, '-U', 'postgres', '-d', 'postgres', '-Atc', text],
]

t.test("the server: its connections are the kernel's, and we say so", async (t) => {
    t.equal(initialised.status, 0, initialised.stderr)
    const pronghorn = [
        '-u',
        'NODE_OPTIONS',
        `PRONGHORN_BUILD_FOLDER=${build}`,
        process.execPath,
        'dist/cli.js',
    ]
    const cli = (...args: string[]) => run('env', [...pronghorn, ...args], { cwd: root, timeoutMs: 30_000 })
    const told = await cli('run', '--port', wire.port, '--', `${BIN}/postgres`, '--version')
    t.match(told, { status: 0, stdout: /^postgres \(PostgreSQL\) \d/ })
    t.match(
        told.stderr,
        /postgres: TCP and UDP on .*; it serves each connection in a child, so its listeners are the kernel's/,
    )

    const local = async () => (await run('psql', query('127.0.0.1', '5499', 'select 1'))).stdout === '1\n'
    const [command, ...rest] = [...asUser, `${BIN}/postgres`, ...settings('5499')] as [string, ...string[]]
    const server = await serve(wire, command, rest, local)
    const about = await cli('explain', `${server.child.pid}`, '--json')
    t.equal(about.status, 0, about.stderr)
    const listeners = JSON.parse(about.stdout).sockets.filter(({ address }: { address: string }) =>
        address.endsWith(':5499'),
    )
    t.ok(listeners.length > 0)
    for (const one of listeners)
        t.match(one, { owner: 'kernel', reason: /postgres serves connections in children/ })
    const bench = ['-h', '127.0.0.1', '-p', '5499', '-U', 'postgres', 'postgres']
    t.match(await run('pgbench', ['-i', '-q', '-s', '1', ...bench]), { status: 0 }, 'pgbench -i')
    const result = await run('pgbench', ['-c', '4', '-t', '50', ...bench], { timeoutMs: 60_000 })
    t.match(result, { status: 0, stdout: /transactions actually processed: 200\/200/ }, result.stderr)
    await kill(server)
    const again = await serve(wire, command, rest, local)
    t.match(
        await run('pgbench', ['-c', '2', '-t', '20', ...bench]),
        { status: 0 },
        'killed, and started again',
    )
    t.equal(await again.stop(), 0, again.said().slice(-500))
})

t.test('clients of ours: psql, pgbench with threads', async (t) => {
    const server = wire.spawn('setpriv', [...asUser.slice(1), `${BIN}/postgres`, ...settings('5498')], {
        stdio: 'ignore',
    })
    const ours = { PRONGHORN_PORT: wire.port }
    const ask = (text: string) =>
        runShimmed('psql', query(wire.peer4, '5498', text), ours, { timeoutMs: 30_000 })
    t.ok(await until(async () => (await ask('select 1')).stdout === '1\n'), 'it serves')
    const text = 'abc'.repeat(100_000)
    t.equal((await ask(`select repeat('abc', 100000)`)).stdout, `${text}\n`)
    t.equal((await ask('select inet_client_addr()')).stdout, `${wire.our4}\n`, 'over our port')
    const bench = ['-h', wire.peer4, '-p', '5498', '-U', 'postgres', 'postgres']
    const result = await runShimmed('pgbench', ['-n', '-c', '8', '-j', '2', '-t', '50', ...bench], ours, {
        timeoutMs: 60_000,
    })
    t.match(result, { status: 0, stdout: /transactions actually processed: 400\/400/ }, result.stderr)
    t.match(result.stdout, /number of failed transactions: 0/)
    const dead = startShimmed('psql', query(wire.peer4, '5498', 'select pg_sleep(60)'), ours)
    const sleeps = query(
        wire.peer4,
        '5498',
        "select count(*) > 0 from pg_stat_activity where query like 'select pg_sl%'",
    )
    t.ok(await until(async () => (await wire.run('psql', sleeps)).stdout === 't\n'))
    await kill({ child: dead })
    t.equal((await ask('select 2')).stdout, '2\n', 'a client was killed, and comes again')
    // The server ends; its clients are told.
    const long = runShimmed('psql', query(wire.peer4, '5498', 'select 3, pg_sleep(60)'), ours)
    const asleep = query(
        wire.peer4,
        '5498',
        "select count(*) from pg_stat_activity where query like 'select 3, pg_sl%'",
    )
    t.ok(await until(async () => (await wire.run('psql', asleep)).stdout === '1\n'))
    await kill({ child: server })
    t.match(
        await long,
        { status: 2, stderr: /server closed the connection|terminating connection/ },
        'killed',
    )
})
