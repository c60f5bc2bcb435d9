// SPDX-License-Identifier: Apache-2.0
// A UDP server on all addresses serves who reaches ours and who reaches the kernel's, and answers each on its side.
import { once } from 'node:events'
import t from 'tap'
import { must, tryRun } from '../../tools/net/commands.js'
import { linesOf, onWire, start, startShimmed } from './support.js'

const python = '/usr/bin/python3'
const wire = start(python)

/* A second way into the namespace, the kernel's, and behind it a host that no interface here is on. */
const [device, peer] = [`phx${process.pid}a`, `phx${process.pid}b`]
const inside = (...command: string[]) => must('ip', 'netns', 'exec', wire.namespace, ...command)
t.teardown(() => tryRun('ip', 'link', 'del', device))
must('ip', 'link', 'add', device, 'type', 'veth', 'peer', peer, 'netns', wire.namespace)
must('ip', 'addr', 'add', '10.87.0.1/24', 'dev', device)
must('ip', 'link', 'set', device, 'up')
inside('ip', 'addr', 'add', '10.87.0.2/24', 'dev', peer)
inside('ip', 'link', 'set', peer, 'up')
inside('ip', 'addr', 'add', '203.0.113.5/32', 'dev', peer)
must('ip', 'route', 'add', '203.0.113.5/32', 'via', '10.87.0.2')

const servers = {
    recvfrom: `
while True:
    data, who = s.recvfrom(100)
    s.sendto(data + b" " + who[0].encode(), who)`,
    'recvmsg and the address that it came to': `
s.setsockopt(socket.IPPROTO_IP, 8, 1) # IP_PKTINFO
while True:
    data, control, flags, who = s.recvmsg(100, 100)
    info = control[0][2]
    s.sendmsg([data + b" " + who[0].encode()], [(socket.IPPROTO_IP, 8, struct.pack("=i", 0) + info[4:8] + bytes(4))], 0, who)`,
}

for (const [name, loop] of Object.entries(servers)) {
    t.test(name, async (t) => {
        const code = `import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5354))
print("bound", flush=True)${loop}`
        const env = { ...onWire(wire), PRONGHORN_PORT: `${wire.port},gateway=${wire.peer4}` }
        const server = startShimmed(python, ['-c', code], env)
        t.equal((await linesOf(server).next()).value, 'bound')
        /* From an address, to an address: the answer, which comes to a connected socket from there alone. */
        const ask = async (from: string, to: string) => {
            const client = `import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${from}", 0))
s.connect(("${to}", 5354))
s.settimeout(1)
end = time.monotonic() + 10
while time.monotonic() < end:
    try:
        s.send(b"who am I?")
        print(s.recv(100).decode())
        break
    except TimeoutError: pass`
            return (await wire.run(python, ['-c', client])).stdout.trim()
        }
        const far = '203.0.113.5'
        t.equal(await ask(wire.peer4, wire.our4), `who am I? ${wire.peer4}`, 'ours')
        t.equal(await ask('10.87.0.2', '10.87.0.1'), 'who am I? 10.87.0.2', "the kernel's")
        t.equal(await ask(far, '10.87.0.1'), `who am I? ${far}`, "the kernel's, of a host behind a router")
        t.equal(await ask(wire.peer4, wire.our4), `who am I? ${wire.peer4}`, 'ours again')
        server.kill()
        await once(server, 'exit')
    })
}
