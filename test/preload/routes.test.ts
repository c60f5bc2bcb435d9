// SPDX-License-Identifier: Apache-2.0
// Rules decide socket by socket: by family, by port, by type, and the first that fits.
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { run } from '../../tools/net/commands.js'
import { build, linesOf, shim, skipWithout, startShimmed } from './support.js'

skipWithout(shim)

const root = fileURLToPath(new URL('../..', import.meta.url))
const memory = { PRONGHORN_MEMORY_HUGEPAGES: 'off' }

type Explained = { fd: number; owner: string; type: string; address: string; reason: string }

async function explain(pid: number | undefined) {
    const program = ['-u', 'NODE_OPTIONS', `PRONGHORN_BUILD_FOLDER=${build}`, process.execPath, 'dist/cli.js']
    const { stdout, stderr, status } = await run('env', [...program, 'explain', `${pid}`, '--json'], {
        cwd: root,
    })
    if (status !== 0) throw new Error(stderr)
    return JSON.parse(stdout).sockets as Explained[]
}

/* Whether the kernel has a listener there, which alone can answer another process on loopback. */
async function answers(host: string, port: number): Promise<boolean> {
    const socket = connect(port, host)
    const came = await once(socket, 'connect').then(
        () => true,
        () => false,
    )
    socket.destroy()
    return came
}

/* One program: listeners on two ports, of both families, and a datagram socket; each answers the program itself. */
const program = `
import socket, time
def listener(family, host, port):
    l = socket.socket(family); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    l.bind((host, port)); l.listen()
    c = socket.create_connection((host, port)); a, _ = l.accept()
    c.sendall(b'x'); assert a.recv(1) == b'x'
    c.close(); a.close()
    return l
kept = [listener(socket.AF_INET, '127.0.0.1', 4110), listener(socket.AF_INET, '127.0.0.1', 4111),
        listener(socket.AF_INET6, '::1', 4110), listener(socket.AF_INET6, '::1', 4111)]
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 4110))
u.sendto(b'x', u.getsockname()); assert u.recv(1) == b'x'
print('ready', flush=True); time.sleep(60)`

const places = ['127.0.0.1:4110', '127.0.0.1:4111', '[::1]:4110', '[::1]:4111', '127.0.0.1:4110 udp']
const none = /no port of ours is configured/
const loopback = 'ours,address=127.0.0.0/8;ours,address=::1'

/* Rules, and who has each of the places, by which rule. */
const cases: [string, string, [string, string | RegExp][]][] = [
    [
        'a port of the kernel before all else of ours',
        `kernel,port=4110;${loopback}`,
        [
            ['kernel', 'rule: kernel,port=4110'],
            ['ours', 'rule: ours,address=127.0.0.0/8'],
            ['kernel', 'rule: kernel,port=4110'],
            ['ours', 'rule: ours,address=::1'],
            ['kernel', 'rule: kernel,port=4110'],
        ],
    ],
    [
        'and after it, where it decides nothing',
        `${loopback};kernel,port=4110`,
        [
            ['ours', 'rule: ours,address=127.0.0.0/8'],
            ['ours', 'rule: ours,address=127.0.0.0/8'],
            ['ours', 'rule: ours,address=::1'],
            ['ours', 'rule: ours,address=::1'],
            ['ours', 'rule: ours,address=127.0.0.0/8'],
        ],
    ],
    [
        'a family',
        'ours,family=ipv6',
        [
            ['kernel', none],
            ['kernel', none],
            ['ours', 'rule: ours,family=ipv6'],
            ['ours', 'rule: ours,family=ipv6'],
            ['kernel', none],
        ],
    ],
    [
        'a family, ports, and a type',
        'kernel,type=udp;ours,family=ipv4,port=4109-4110;ours,family=ipv6,port=4111',
        [
            ['ours', 'rule: ours,family=ipv4,port=4109-4110'],
            ['kernel', none],
            ['kernel', none],
            ['ours', 'rule: ours,family=ipv6,port=4111'],
            ['kernel', 'rule: kernel,type=udp'],
        ],
    ],
]

for (const [name, route, expected] of cases) {
    t.test(name, async (t) => {
        const child = startShimmed('/usr/bin/python3', ['-c', program], { ...memory, PRONGHORN_ROUTE: route })
        t.teardown(() => child.kill('SIGKILL')) // now: the next case has the same ports
        t.equal((await linesOf(child).next()).value, 'ready')
        const sockets = await explain(child.pid)
        const found = new Map(
            sockets.map((one) => [one.type === 'udp' ? `${one.address} udp` : one.address, one]),
        )
        for (const [i, place] of places.entries()) {
            const [owner, reason] = expected[i]!
            t.match(found.get(place), { owner, reason }, place)
            const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(place) ?? []
            if (host && port)
                t.equal(await answers(host, Number(port)), owner === 'kernel', `${place} answers`)
        }
        child.kill('SIGKILL')
        await once(child, 'exit')
    })
}

t.test('a program of whose forking nothing is known', async (t) => {
    // It accepts, and a child is to serve the connection: the child says why it cannot, and so does explain.
    const code = `
import os, signal, socket, time
signal.alarm(60)
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen()
c = socket.create_connection(l.getsockname()); a, _ = l.accept()
if os.fork() == 0:
    signal.alarm(60)
    try: a.recv(1)
    except OSError as error: print(os.getpid(), a.fileno(), error.strerror, flush=True)
    time.sleep(60)
    os._exit(0)
c.sendall(b'x'); assert a.recv(1) == b'x'
os.wait()`
    const rule = 'ours,address=127.0.0.0/8'
    const child = startShimmed('/usr/bin/python3', ['-c', code], { ...memory, PRONGHORN_ROUTE: rule })
    const [, pid, fd, error] = /^(\d+) (\d+) (.*)$/.exec((await linesOf(child).next()).value) ?? []
    t.teardown(() => process.kill(Number(pid), 'SIGKILL'))
    t.equal(error, 'Transport endpoint is not connected')
    const mends =
        /the process that forked this one; the rule "kernel,process=python3[.\d]*,use=listen" leaves its/
    const told = (await once(child.stderr!, 'data')).toString()
    t.match(told, mends)
    t.match(
        (await explain(Number(pid))).filter((one) => one.fd === Number(fd)),
        [{ owner: 'kernel', reason: mends }],
    )
    child.kill('SIGKILL')
})

t.test('and with the rule that it is told', async (t) => {
    const code = `
import os, signal, socket, time
signal.alarm(60)
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen()
print(l.getsockname()[1], flush=True)
a, _ = l.accept()
if os.fork() == 0:
    a.sendall(a.recv(100) + b' by a child')
    os._exit(0)
a.close(); os.wait(); time.sleep(60)`
    const rule = 'kernel,process=python3,use=listen'
    const route = `${rule};ours,address=127.0.0.0/8`
    const child = startShimmed('/usr/bin/python3', ['-c', code], { ...memory, PRONGHORN_ROUTE: route })
    const port = Number((await linesOf(child).next()).value)
    const socket = connect(port, '127.0.0.1')
    socket.write('served')
    t.equal((await once(socket, 'data')).toString(), 'served by a child')
    t.match(
        (await explain(child.pid)).filter(({ address }) => address === `127.0.0.1:${port}`),
        [{ owner: 'kernel', reason: `rule: ${rule}` }],
    )
    socket.destroy()
    child.kill('SIGKILL')
})
