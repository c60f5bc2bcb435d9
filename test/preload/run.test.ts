// SPDX-License-Identifier: Apache-2.0
// pronghorn run and explain, on the kernel's loopback and on ours.
import { once } from 'node:events'
import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { run } from '../../tools/net/commands.js'
import { build, calls, shim, skipWithout, startShimmed } from './support.js'

skipWithout(shim, calls)

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pronghorn-run-'))
t.teardown(() => rmSync(folder, { recursive: true }))

function pronghorn(...args: string[]) {
    const program = ['-u', 'NODE_OPTIONS', `PRONGHORN_BUILD_FOLDER=${build}`, process.execPath, 'dist/cli.js']
    return run('env', [...program, ...args], { cwd: root })
}

t.test('runs a program: its output, its status, one line of ours', async (t) => {
    const result = await pronghorn('run', '--', 'sh', '-c', 'echo out; exit 7')
    t.match(result, { status: 7, stdout: 'out\n' })
    t.match(result.stderr, /^pronghorn: sh: nothing is accelerated: no port is configured.*\n$/)
    t.match(await pronghorn('run', '-q', 'true'), { status: 0, stdout: '', stderr: '' })
    t.match(await pronghorn('run', '-q', '--', 'sh', '-c', 'kill -TERM $$'), { signal: 'SIGTERM' })
})

t.test('says what is accelerated', async (t) => {
    const port = 'af_packet,iface=eth9,address=10.0.0.2/24,address=fd00::2/64'
    const { stderr } = await pronghorn('run', '--port', port, '--route', 'kernel,port=22', 'true')
    t.match(stderr, /true: TCP and UDP on 10\.0\.0\.2, fd00::2 run on Pronghorn; 1 rule of yours first/)
    t.match(stderr, /; loopback, UNIX sockets and other interfaces stay with the kernel/)
    for (const [route, claims] of [
        ['ours,address=127.0.0.0/8', true],
        ['kernel,port=22;ours,address=127.0.0.9', true],
        ['both,address=::1', true],
        ['ours,address=0.0.0.0/0', true],
        ['ours,type=tcp', true],
        ['kernel,address=127.0.0.0/8', false],
        ['ours,address=10.0.0.0/8', false],
    ] as const) {
        const { stderr } = await pronghorn('run', '--port', port, '--route', route, 'true')
        t.match(stderr, claims ? /; loopback goes by your rules; UNIX/ : /; loopback, UNIX/, route)
    }
    const file = join(folder, 'pronghorn.json')
    writeFileSync(file, '{"route": ["ours,address=127.0.0.0/8"]}')
    t.match(await pronghorn('run', '--config', file, 'true'), {
        stderr: /accelerated is what your rules say/,
    })
    writeFileSync(file, '{"port": [{"device": "af_packet", "iface": "eth9", "address": ["10.0.0.3/24"]}]}')
    t.match(await pronghorn('run', '--config', file, 'true'), { stderr: /TCP and UDP on 10\.0\.0\.3 run/ })
})

t.test('rules reach the program', async (t) => {
    const result = await pronghorn('run', '-q', '--route', 'ours,address=127.0.0.0/8', '--', calls, 'echo')
    t.match(result, { status: 0, stdout: '' })
})

t.test('refuses what it cannot serve', async (t) => {
    t.match(await pronghorn('run', '/no/such/program'), { status: 127, stderr: /no such program/ })
    t.match(await pronghorn('run', 'no-such-program'), { status: 127, stderr: /no such program in PATH/ })
    t.match(await pronghorn('run', '/etc/passwd'), { status: 127, stderr: /not executable/ })
    t.match(await pronghorn('run', '/sbin/ldconfig'), { status: 126, stderr: /statically linked/ })
    const copy = join(folder, 'set-uid')
    copyFileSync('/bin/true', copy)
    if (process.getuid?.() === 0) {
        chownSync(copy, 1, 1)
        chmodSync(copy, 0o4755)
        t.match(await pronghorn('run', copy), { status: 126, stderr: /set-uid/ })
    }
    // What makes a Go program is its build information.
    copyFileSync('/bin/true', copy)
    chmodSync(copy, 0o755)
    writeFileSync(copy, Buffer.from('\xff Go buildinf:', 'latin1'), { flag: 'a' })
    t.match(await pronghorn('run', copy), { status: 126, stderr: /Go program/ })
    const script = join(folder, 'script')
    writeFileSync(script, '#!/sbin/ldconfig -p\n', { mode: 0o755 })
    t.match(
        await pronghorn('run', script),
        { status: 126, stderr: /statically linked/ },
        'by its interpreter',
    )
})

t.test('explain', async (t) => {
    const code = `
import socket, sys, time
kernels = socket.socket(); kernels.bind(('127.0.0.1', 0)); kernels.listen()
ours = socket.socket(); ours.bind(('127.0.0.9', 4000)); ours.listen()
both = socket.socket(); both.bind(('0.0.0.0', 4001)); both.listen(); both.setblocking(False)
try: both.accept()
except BlockingIOError: pass
print('ready', flush=True); time.sleep(60)`
    const rules = { PRONGHORN_ROUTE: 'ours,address=127.0.0.9', PRONGHORN_MEMORY_HUGEPAGES: 'off' }
    const child = startShimmed('/usr/bin/python3', ['-c', code], rules)
    await once(child.stdout!, 'data')
    const { stdout, stderr, status } = await pronghorn('explain', `${child.pid}`, '--json')
    t.equal(status, 0, stderr)
    const { sockets } = JSON.parse(stdout)
    t.match(
        sockets.map(({ owner, address }: Record<string, string>) => [owner, address]),
        [
            ['kernel', /^127\.0\.0\.1:/],
            ['ours', '127.0.0.9:4000'],
            ['both', '0.0.0.0:4001'],
        ],
    )
    t.match(sockets[0].reason, /no port of ours is configured/)
    t.match(sockets[0].remedy, /configure a port/)
    t.equal(sockets[1].reason, 'rule: ours,address=127.0.0.9')
    const one = await pronghorn('explain', `${child.pid}`, `${sockets[1].fd}`)
    t.match(one.stdout, /ours +tcp +127\.0\.0\.9:4000 +rule: ours,address=127\.0\.0\.9/)
    t.match(await pronghorn('explain', `${process.pid}`), { status: 3, stderr: /does not run on Pronghorn/ })
    child.kill('SIGKILL')
})

t.test('listeners that share a port, each on both sides', async (t) => {
    const code = `
import select, socket, time
def share(port):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(('0.0.0.0', port)); s.listen(100); s.setblocking(False)
    return s
first = share(0); port = first.getsockname()[1]; listeners = [first, share(port)]
kept = []
def take(expected):
    counts = [0, 0]
    while sum(counts) < expected and select.select(listeners, [], [], 20)[0]:
        for i, s in enumerate(listeners):
            try:
                while True: kept.append(s.accept()); counts[i] += 1
            except BlockingIOError: pass
    return counts
inside = [socket.create_connection(('127.0.0.1', port)) for _ in range(40)]
print(*take(40), port, flush=True)
print(*take(40), flush=True)
time.sleep(60)`
    for (const drive of ['dedicated', 'inline']) {
        const rules = {
            PRONGHORN_ROUTE: 'ours,address=127.0.0.0/8',
            PRONGHORN_MEMORY_HUGEPAGES: 'off',
            PRONGHORN_STACK_CORES: '0,1',
            PRONGHORN_STACK_DRIVE: drive,
        }
        const child = startShimmed('/usr/bin/python3', ['-c', code], rules)
        const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
        const [one, two, port] = `${(await lines.next()).value}`.split(' ').map(Number) as [
            number,
            number,
            number,
        ]
        t.ok(one > 0 && two > 0 && one + two === 40, `${drive}: of this process ${one} and ${two}`)
        const outside = Array.from({ length: 40 }, () => connect(port, '127.0.0.1'))
        const [three, four] = `${(await lines.next()).value}`.split(' ').map(Number) as [number, number]
        t.ok(three > 0 && four > 0 && three + four === 40, `of others ${three} and ${four}`)
        for (const socket of outside) socket.on('error', () => {}).destroy()
        const { stdout, stderr, status } = await pronghorn('explain', `${child.pid}`, '--json')
        t.equal(status, 0, stderr)
        const listening = JSON.parse(stdout).sockets.filter(({ address }: { address: string }) =>
            address.startsWith('0.0.0.0:'),
        )
        t.match(listening, [
            { owner: 'both', address: `0.0.0.0:${port}`, reason: 'rule: ours,address=127.0.0.0/8' },
            { owner: 'both', address: `0.0.0.0:${port}`, reason: 'rule: ours,address=127.0.0.0/8' },
        ])
        t.equal(listening.length, 2)
        child.kill('SIGKILL')
    }
})
