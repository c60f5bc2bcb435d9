// SPDX-License-Identifier: Apache-2.0
// The examples that serve until they are ended, each a process of its own with a stack of its own, at the other
// end of a memif from this process's stack: what comes back, and what they print. Needs no privilege.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { pattern, patternSha256 } from '../../examples/pattern.js'
import { createSocket } from '../../lib/dgram/index.js'
import { runtime } from '../../lib/index.js'
import { connect } from '../../lib/net/index.js'
import { end, must, run } from '../../tools/net/commands.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const built = join(root, 'build', process.env.PRONGHORN_TEST_PRESET ?? 'release')
const folder = mkdtempSync(join(tmpdir(), 'pronghorn-servers-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const BYTES = 1_000_000
const common = { PRONGHORN_LOG_LEVEL: 'warning', PRONGHORN_MEMORY_HUGEPAGES: 'off' }
// tap puts its loader into every Node by NODE_OPTIONS: env(1) takes it out again, users have none.
const example = (name: string): [string, ...string[]] => [
    'env',
    ...['-u', 'NODE_OPTIONS', process.execPath, '--import', 'tsx', `examples/${name}.ts`],
]

/** One end of wire `n`; the server's is .1 of its subnet. */
function line(n: number, role: 'server' | 'client'): string {
    const host = role === 'server' ? 1 : 2
    const addresses = `address=10.88.${n}.${host}/24,address=fd88:${n}::${host}/64`
    return `memif,role=${role},id=0,path=${join(folder, `${n}`)},${addresses}`
}

interface Server {
    child: ChildProcess
    /** The next line that it prints. */
    next(): Promise<string>
    /** Ends it: all that it wrote to stderr. */
    end(): Promise<string>
}

function start(command: string[], wires: number[]): Server {
    const [program, ...args] = command as [string, ...string[]]
    const PRONGHORN_PORT = wires.map((n) => line(n, 'server')).join(';')
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
        cwd: root,
        env: { ...process.env, ...common, PRONGHORN_PORT },
        stdio: ['ignore', 'pipe', 'pipe'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    let stderr = ''
    child.stderr.on('data', (data) => {
        stderr += data
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return {
        child,
        async next() {
            const { value, done } = await lines.next()
            return done ? `(it ended: ${stderr})` : value
        },
        async end() {
            await end(child)
            return stderr
        },
    }
}

/** A stream there and back: its checksum. */
async function streamThrough(host: string, port: number): Promise<string> {
    const socket = connect(port, host)
    const hash = createHash('sha256')
    socket.on('data', (data) => hash.update(data))
    const ended = once(socket, 'end')
    for (const block of pattern(BYTES)) if (!socket.write(block)) await once(socket, 'drain')
    socket.end()
    await ended
    return hash.digest('hex')
}

const tcpEcho = join(folder, 'tcp-echo')
const flags = ['-Wall', '-Wextra', '-Werror', `-I${root}native/include`]
must('cc', ...flags, `${root}examples/tcp-echo.c`, `-L${built}`, '-lpronghorn', '-o', tcpEcho)

// (All are up before this process joins them: a memif's client connects while it starts.)
const echo = start([...example('echo-server'), '7001'], [1, 2])
const udp = start([...example('udp-echo'), '7002'], [3])
const c = start(['env', `LD_LIBRARY_PATH=${built}`, tcpEcho, '7003'], [4])
t.test('they say where they listen', async (t) => {
    t.equal(await echo.next(), 'echo-server: listening on :: port 7001')
    t.equal(await udp.next(), 'udp-echo: listening on port 7002')
    t.equal(await c.next(), 'listening on port 7003')
    Object.assign(process.env, common)
    runtime.start({ port: [1, 3, 4].map((n) => line(n, 'client')).join(';') })
})
t.teardown(() => runtime.stop())

const isWhole = async (t: Test, host: string, port: number) =>
    t.equal(await streamThrough(host, port), patternSha256(BYTES), `${BYTES} bytes there and back`)

t.test('echo-server', async (t) => {
    for (const [host, shown] of [
        ['10.88.1.1', '::ffff:10.88.1.2'],
        ['fd88:1::1', 'fd88:1::2'],
    ] as const) {
        await isWhole(t, host, 7001)
        const [, port] = (await echo.next()).match(/^(.*) connected$/) ?? []
        t.match(port, new RegExp(`^${shown}:\\d+$`), 'it says who connected')
        t.equal(await echo.next(), `${port} closed, ${BYTES} bytes`)
    }
})

t.test('echo-client against it', async (t) => {
    const [program, ...args] = [...example('echo-client'), '10.88.2.1', '7001', '500']
    const env = { ...process.env, ...common, PRONGHORN_PORT: line(2, 'client') }
    const { status, stdout, stderr } = await run(program, args, { cwd: root, env, timeoutMs: 240_000 })
    t.match({ status, stderr }, { status: 0, stderr: '' })
    t.match(
        stdout,
        /^500 round trips of 64 bytes to 10\.88\.2\.1:7001\nhalf of them within [\d.]+ us, 99 of 100 within [\d.]+ us\n$/,
    )
    t.match(await echo.next(), /^::ffff:10\.88\.2\.2:\d+ connected$/)
    t.match(await echo.next(), /^::ffff:10\.88\.2\.2:\d+ closed, 32000 bytes$/)
    t.equal(await echo.end(), '', 'and the server complains of nothing')
})

t.test('udp-echo', async (t) => {
    const body = Buffer.concat([...pattern(65_536)])
    for (const [type, host] of [
        ['udp4', '10.88.3.1'],
        ['udp6', 'fd88:3::1'],
    ] as const) {
        const socket = createSocket(type)
        for (const bytes of [0, 1, 1472, 9000, 60_000]) {
            const sent = body.subarray(bytes % 256, (bytes % 256) + bytes)
            socket.send(sent, 7002, host)
            const [got, from] = await once(socket, 'message')
            t.ok(sent.equals(got), `${bytes} bytes to ${host} come back`)
            t.match(from, { address: host, port: 7002, size: bytes })
        }
        socket.close()
    }
    t.equal(await udp.end(), '', 'it complains of nothing')
})

t.test('tcp-echo.c', async (t) => {
    // One client after the other.
    for (let i = 0; i < 3; i++) await isWhole(t, '10.88.4.1', 7003)
    t.equal(await c.end(), '', 'it complains of nothing')
})
