// SPDX-License-Identifier: Apache-2.0
// TCP_USER_TIMEOUT: when the peer is gone, a program under the shim hears of it when the kernel's would.
import t from 'tap'
import { linesOf, onWire, start, startShimmed } from './support.js'

const python = '/usr/bin/python3'
const wire = start(python)

const peer = `import socket, time
l = socket.create_server(("${wire.peer4}", 7000))
print("ready", flush=True)
c = [l.accept()[0] for _ in range(2)]
time.sleep(1000)`

// The one without the option is still waiting when the other has been told.
const program = `import socket, sys, time
s, other = (socket.create_connection(("${wire.peer4}", 7000)) for _ in range(2))
s.setsockopt(socket.IPPROTO_TCP, 18, 1500)
print("connected", flush=True)
sys.stdin.readline()
start = time.monotonic()
s.send(b"x"), other.send(b"x")
try:
    s.recv(1)
except OSError as error:
    print(error.errno, round(time.monotonic() - start, 1), flush=True)
other.setblocking(False)
try:
    other.recv(1)
except OSError as error:
    print(error.errno, flush=True)`

t.test('the peer is gone', async (t) => {
    const server = wire.spawn(python, ['-c', peer], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.equal((await linesOf(server).next()).value, 'ready')
    const client = startShimmed(python, ['-c', program], onWire(wire), { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = linesOf(client)
    t.equal((await lines.next()).value, 'connected')
    // It drops what comes, so that nobody says that it is not there.
    await wire.run('ip', ['addr', 'flush', 'dev', wire.peerDevice])
    client.stdin?.write('\n')
    const [errno, seconds] = ((await lines.next()).value ?? '').split(' ')
    t.equal(errno, '110', 'ETIMEDOUT')
    t.ok(Number(seconds) >= 1.4, `not before its time: ${seconds} s`)
    t.equal((await lines.next()).value, '11', 'without it there is time')
    server.kill()
})
