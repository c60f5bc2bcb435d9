// SPDX-License-Identifier: Apache-2.0
// TCP's urgent data between the kernel and a program under the shim, either way: what the one that
// takes it sees is what it sees with the kernel at both ends.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { onWire, runShimmed, start } from './support.js'

const python = '/usr/bin/python3'
const wire = start(python)

// Both ends of it: "give" or "take", on a connection that the one listens for and the other makes. After
// each round the taker says ".", so that nothing of the next one has arrived before.
const program = `import ctypes, fcntl, select, signal, socket, struct, sys
role, side, host, port, inline = sys.argv[1:]
rounds = [(b"login", b"\\xff\\xf2", b"go on"), (b"", b"U", b""), (b"x" * 100000, b"a", b"y" * 70000), (b"", b"many bytes", b"z")]
libc = ctypes.CDLL(None)
def connection():
    if side == "connect":
        return socket.create_connection((host, int(port)))
    l = socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    print("ready", flush=True)
    return l.accept()[0]
def short(data):
    return f"{data[:9]}{len(data)}" if len(data) > 30 else str(data)
def give(s):
    for before, text, after in rounds:
        s.sendall(before)
        assert s.send(text, socket.MSG_OOB) == len(text)
        s.sendall(after + b"\\n")
        assert s.recv(1) == b"."
    print("given", flush=True)
def take(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, int(inline))
    for _ in rounds:
        p = select.poll()
        p.register(s, select.POLLPRI)
        assert p.poll(10000) == [(s.fileno(), select.POLLPRI)]
        parts, byte = [b""], ""
        if inline == "0":
            assert s.recv(1, socket.MSG_OOB | socket.MSG_PEEK) == (byte := s.recv(1, socket.MSG_OOB))
        while not parts[-1].endswith(b"\\n"):
            mark = libc.sockatmark(s.fileno())
            assert mark == struct.unpack("i", fcntl.ioctl(s, 0x8905, b"1234"))[0]
            if mark:
                parts.append(b"")
            parts[-1] += s.recv(4096)
        assert select.select([], [], [s], 0) == ([], [], [])
        print(*[short(part) for part in parts], byte, flush=True)
        s.send(b".")
{"give": give, "take": take}[role](connection())
`

let port = 7000

/* What the taker says: the kernel's end listens, ours connects or, without `ours`, the kernel's as well. */
async function said(
    taker: 'ours' | 'kernel',
    ours: boolean,
    host: string,
    inline: string,
    drive = 'dedicated',
) {
    const [theirs, own] = taker === 'ours' ? ['give', 'take'] : ['take', 'give']
    const at = [host, String(++port), inline]
    const peer = wire.spawn(python, ['-c', program, theirs, 'listen', ...at], {
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (peer.stdout === null) throw new Error('no pipe')
    const lines: string[] = []
    const reader = createInterface(peer.stdout)
    reader.on('line', (line) => lines.push(line))
    const over = once(reader, 'close')
    while (lines.length === 0) await once(reader, 'line')
    const args = ['-c', program, own, 'connect', ...at]
    const result = ours
        ? await runShimmed(python, args, { ...onWire(wire), PRONGHORN_STACK_DRIVE: drive })
        : await wire.run(python, args)
    t.match(result, { status: 0, stderr: '' })
    if (result.status !== 0) peer.kill()
    await over
    return taker === 'ours' ? result.stdout : `${lines.slice(1).join('\n')}\n`
}

for (const [family, host] of [
    ['IPv4', wire.peer4],
    ['IPv6', wire.peer6],
] as const) {
    for (const inline of ['0', '1']) {
        t.test(`${family}, SO_OOBINLINE ${inline}`, async (t) => {
            const expected = await said('kernel', false, host, inline)
            t.equal(expected.split('\n').length, 5, expected)
            t.equal(await said('kernel', true, host, inline), expected, 'ours gives')
            t.equal(await said('ours', true, host, inline), expected, 'ours takes')
            t.equal(await said('ours', true, host, inline, 'inline'), expected, 'ours takes, inline')
        })
    }
}
