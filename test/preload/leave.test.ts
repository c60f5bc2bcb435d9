// SPDX-License-Identifier: Apache-2.0
// However a process of ours ends by itself, its peer gets all that it sent, and then the end.
import { once } from 'node:events'
import t from 'tap'
import { linesOf, onWire, runShimmed, start } from './support.js'

const python = '/usr/bin/python3'
const wire = start(python)

const ways = {
    exit: 'sys.exit(3)',
    _exit: 'os._exit(3)',
    quick_exit: 'ctypes.CDLL(None).quick_exit(3)',
    exec: 'os.execv("/bin/sh", ["sh", "-c", "exit 3"])',
    'a number': 'ctypes.CDLL(None).syscall(231, 3)',
    'a handler':
        'signal.signal(signal.SIGALRM, lambda *a: os._exit(3)); signal.setitimer(signal.ITIMER_REAL, 0.1); s.recv(1)',
    'after an exec that failed': `
try: os.execv("/etc/passwd", ["passwd"])
except OSError: s.sendall(b"x")
os._exit(3)`,
}

const peer = `import socket
l = socket.create_server(("${wire.peer4}", 7777))
while True:
    print("ready", flush=True)
    c, _ = l.accept()
    c.settimeout(10)
    bytes = 0
    try:
        while data := c.recv(65536):
            bytes += len(data)
        print(bytes, "and the end", flush=True)
    except OSError as error:
        print(bytes, error, flush=True)`

t.test('ways to end', async (t) => {
    const server = wire.spawn(python, ['-c', peer], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = linesOf(server)
    const line = async () => (await lines.next()).value
    for (const [name, way] of Object.entries(ways)) {
        if (name === 'a number' && process.arch !== 'x64') continue
        t.equal(await line(), 'ready')
        const code = `import socket, os, sys, ctypes, signal
s = socket.create_connection(("${wire.peer4}", 7777))
s.sendall(b"x" * 100000)
${way}`
        t.match(await runShimmed(python, ['-c', code], onWire(wire)), { status: 3, stderr: '' }, name)
        t.equal(await line(), `${name.startsWith('after') ? 100001 : 100000} and the end`, name)
    }
    server.kill()
    await once(server, 'exit')
})
