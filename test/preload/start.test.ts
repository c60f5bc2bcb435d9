// SPDX-License-Identifier: Apache-2.0
// While a server starts, who speaks to it waits for an answer, but is never refused: its stacks take nothing in
// before all its listeners are theirs.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { must } from '../../tools/net/commands.js'
import { skipWithout, start, startShimmed } from './support.js'

const python = '/usr/bin/python3'
skipWithout(python)
const wire = start()

/* So that the first SYN leaves at once, not only with our first answer to ARP. */
const mac = '02:00:00:86:00:01'
const neighbour = ['neigh', 'replace', wire.our4, 'lladdr', mac, 'dev', wire.peerDevice]
must('ip', '-n', wire.namespace, ...neighbour, 'nud', 'permanent')

/* Moving all these takes a while, in which the last are not there yet. */
const COUNT = 300

const server = `import select, socket, sys
kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[1]]
all = []
for port in range(9000, 9000 + ${COUNT}):
    s = socket.socket(socket.AF_INET, kind)
    s.bind(("0.0.0.0", port))
    if kind == socket.SOCK_STREAM: s.listen()
    all.append(s)
print("begins", flush=True)
sys.stdin.readline()
while True:
    for s in select.select(all, [], [])[0]:
        if kind == socket.SOCK_STREAM: s.accept()
        else: s.sendto(*s.recvfrom(9))`

const client = `import socket, sys, time
kind, end, refused = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[1]], time.monotonic() + 30, 0
while time.monotonic() < end:
    s = socket.socket(socket.AF_INET, kind)
    s.settimeout(0.01)
    try:
        s.connect(("${wire.our4}", 9000 + ${COUNT} - 1))
        if kind == socket.SOCK_DGRAM:
            s.send(b"x")
            s.recv(1)
        print(refused)
        break
    except ConnectionRefusedError: refused += 1
    except TimeoutError: pass`

for (const drive of ['dedicated', 'inline'])
    for (const kind of ['tcp', 'udp'])
        t.test(`${kind}, ${drive}`, async (t) => {
            const env = {
                PRONGHORN_PORT: `${wire.port},mac=${mac}`,
                PRONGHORN_MEMORY_HUGEPAGES: 'off',
                PRONGHORN_STACK_DRIVE: drive,
                PRONGHORN_STACK_COUNT: '2',
            }
            const ours = startShimmed(python, ['-c', server, kind], env, {
                stdio: ['pipe', 'pipe', 'inherit'],
            })
            for await (const line of createInterface(ours.stdout!)) if (line === 'begins') break
            const asks = wire.run(python, ['-c', client, kind])
            ours.stdin!.write('\n')
            const { status, stdout, stderr } = await asks
            t.match({ status, stderr, stdout }, { status: 0, stderr: '', stdout: '0\n' }, 'nobody is refused')
            ours.kill('SIGKILL')
            await once(ours, 'exit')
        })
