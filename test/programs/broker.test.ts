// SPDX-License-Identifier: Apache-2.0
// amqplib, which opens its connections by itself, on our stack by pronghorn/register; RabbitMQ on the kernel's.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { end } from '../../tools/net/commands.js'
import { makeWire } from '../../tools/net/wire.js'
import { skipWithoutWires } from '../net/support/stack.js'

const PATIENCE_MS = 240_000
const PORT = 5679
const root = new URL('../..', import.meta.url).pathname
const server = '/usr/lib/rabbitmq/bin/rabbitmq-server'

skipWithoutWires()
t.setTimeout(PATIENCE_MS)

t.test('amqplib', { skip: existsSync(server) ? false : 'RabbitMQ is not installed' }, async (t) => {
    const wire = makeWire()
    // (What it starts beside itself, the namespace's end ends.)
    t.teardown(() => wire.close())
    const folder = mkdtempSync(join(tmpdir(), 'pronghorn-rabbitmq-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const settings = ['loopback_users = none', `listeners.tcp.1 = ${wire.peer4}:${PORT}`]
    writeFileSync(join(folder, 'rabbitmq.conf'), `${settings.join('\n')}\n`)
    spawnSync('chown', ['-R', 'rabbitmq', folder])
    await wire.run('ip', ['link', 'set', 'lo', 'up'])
    const as = ['--reuid=rabbitmq', '--regid=rabbitmq', '--clear-groups']
    const broker = wire.spawn('setpriv', [...as, server], {
        stdio: 'ignore',
        cwd: folder,
        env: {
            ...{ PATH: process.env.PATH, HOME: folder, RABBITMQ_NODENAME: 'pronghorn@localhost' },
            ...{ RABBITMQ_MNESIA_BASE: join(folder, 'data'), RABBITMQ_LOG_BASE: join(folder, 'log') },
            ...{ RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'), RABBITMQ_PID_FILE: join(folder, 'pid') },
            RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
        },
    })
    const isUp = async () => (await wire.run('ss', ['-Hltn', `sport = :${PORT}`])).stdout.includes(`:${PORT}`)
    while (!(await isUp())) {
        if (broker.exitCode !== null) return t.fail('RabbitMQ ended')
        await sleep(200)
    }
    const program = new URL('broker.mjs', import.meta.url).pathname
    const node = ['-u', 'NODE_OPTIONS', process.execPath, '--import', join(root, 'dist/register.js')]
    const child = spawn('env', [...node, program, `amqp://guest:guest@${wire.peer4}:${PORT}`], {
        cwd: root,
        env: { ...process.env, PRONGHORN_PORT: wire.port },
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (data) => {
        said += data
    })
    const [code] = await once(child, 'close')
    t.equal(code, 0)
    t.strictSame(JSON.parse(said || '{}'), {
        received: 1000,
        wrong: 0,
        longest: 300_000,
        localAddress: wire.our4,
        product: 'RabbitMQ',
    })
    await end(broker)
})
