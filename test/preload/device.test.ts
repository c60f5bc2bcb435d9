// SPDX-License-Identifier: Apache-2.0
// SO_BINDTODEVICE of an unmodified program: the interface of a port is ours, any other makes the socket the kernel's.
import { once } from 'node:events'
import t from 'tap'
import { must, tryRun } from '../../tools/net/commands.js'
import { linesOf, onWire, runShimmed, start, startShimmed } from './support.js'

const python = '/usr/bin/python3'
const wire = start(python)
const ours = /iface=([^,]+)/.exec(wire.port)?.[1] ?? ''

/* A second way into the namespace, the kernel's. */
const [device, peer] = [`phv${process.pid}a`, `phv${process.pid}b`]
t.teardown(() => tryRun('ip', 'link', 'del', device))
must('ip', 'link', 'add', device, 'type', 'veth', 'peer', peer, 'netns', wire.namespace)
must('ip', 'addr', 'add', '10.88.0.1/24', 'dev', device)
must('ip', 'link', 'set', device, 'up')
must('ip', 'netns', 'exec', wire.namespace, 'ip', 'addr', 'add', '10.88.0.2/24', 'dev', peer)
must('ip', 'netns', 'exec', wire.namespace, 'ip', 'link', 'set', peer, 'up')

const env = { ...onWire(wire), PRONGHORN_LOG_LEVEL: 'debug' }

/* Binds and echoes; who asks tries both addresses. */
async function answers(name: string, kind: 'name' | 'number'): Promise<string> {
    const set =
        kind === 'name'
            ? `s.setsockopt(socket.SOL_SOCKET, 25, b"${name}")`
            : `s.setsockopt(socket.SOL_SOCKET, 62, socket.if_nametoindex("${name}"))`
    const server = startShimmed(
        python,
        [
            '-c',
            `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
${set}
s.bind(("0.0.0.0", 5355))
print(s.getsockopt(socket.SOL_SOCKET, 25, 16).rstrip(b"\\0").decode(), flush=True)
while True:
    data, who = s.recvfrom(100)
    s.sendto(s.getsockopt(socket.SOL_SOCKET, 25, 16).rstrip(b"\\0"), who)`,
        ],
        env,
    )
    t.equal((await linesOf(server).next()).value, name)
    const client = `import socket, time
heard = set()
end = time.monotonic() + 20
while time.monotonic() < end and not heard:
    for to in ("${wire.our4}", "10.88.0.1"):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(1)
        s.connect((to, 5355))
        try:
            s.send(b"who?")
            heard.add(to + " " + s.recv(100).decode())
        except (TimeoutError, ConnectionRefusedError): pass
print(" ".join(sorted(heard)))`
    const result = (await wire.run(python, ['-c', client])).stdout.trim()
    server.kill()
    await once(server, 'exit')
    return result
}

for (const kind of ['name', 'number'] as const) {
    t.test(`a server, by ${kind}`, async (t) => {
        t.equal(await answers(ours, kind), `${wire.our4} ${ours}`, 'the port hears')
        t.equal(await answers(device, kind), `10.88.0.1 ${device}`, 'the kernel hears')
    })
}

t.test('a client', async (t) => {
    const verdicts = async (name: string, to: string) => {
        const code = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 25, b"${name}")
s.sendto(b"x", ("${to}", 9))`
        const { stderr } = await runShimmed(python, ['-c', code], env)
        return /socket \d+: (ours|the kernel's) \(/.exec(stderr)?.[1]
    }
    /* What the rules would leave to the kernel goes out where it is told, and the other way round. */
    t.equal(await verdicts(ours, '224.0.0.251'), 'ours')
    t.equal(await verdicts(device, wire.peer4), "the kernel's")
    const unknown = await runShimmed(
        python,
        ['-c', 'import socket; socket.socket().setsockopt(socket.SOL_SOCKET, 25, b"nothing")'],
        env,
    )
    t.match(unknown.stderr, /No such device/)
})
