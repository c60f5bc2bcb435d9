// SPDX-License-Identifier: Apache-2.0
// socket.info() beside the kernel's TCP_INFO of the same connection's other end: what both must agree on,
// and what holds whatever the time. Nothing here is a matter of speed.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import * as net from '../../lib/net/index.js'
import { end } from '../../tools/net/commands.js'
import { skipWithoutWires, startStack } from './support/stack.js'

skipWithoutWires()
const wire = startStack()
const SENT = 4_000_000
const RECEIVED = 3_000_000

// Reads when told, answers, tells its TCP_INFO (linux/tcp.h) when told.
const code = `
import json, socket, struct, sys
s = socket.create_server((sys.argv[1], 0))
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
def info():
    b = c.getsockopt(socket.IPPROTO_TCP, 11, 256).ljust(256, b'\\0')
    word = lambda at: struct.unpack_from('<I', b, at)[0]
    long = lambda at: struct.unpack_from('<Q', b, at)[0]
    print(json.dumps({'advmss': word(84), 'bytes_acked': long(120), 'bytes_received': long(128),
                      'segs_out': word(136), 'segs_in': word(140), 'snd_wnd': word(228)}), flush=True)
sys.stdin.readline()
left = int(sys.argv[2])
while left > 0: left -= len(c.recv(min(left, 65536)))
c.sendall(b'x' * int(sys.argv[3]))
while sys.stdin.readline(): info()
`

const until = async (done: () => boolean) => {
    for (const start = performance.now(); !done() && performance.now() - start < 20_000; ) await sleep(5)
}

t.test('as the kernel sees it', async (t) => {
    const child = wire.spawn('python3', ['-c', code, wire.peer4, String(SENT), String(RECEIVED)], {
        stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(() => end(child))
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
    const say = () => child.stdin?.write('\n')
    const started = performance.now()
    const socket = net.connect(Number((await lines.next()).value), wire.peer4)
    await once(socket, 'connect')
    let got = 0
    socket.on('data', (data) => {
        got += data.length
    })
    const info = () => socket.info() as net.ConnectionInfo
    t.match(info(), { bytesAcknowledged: 0, bytesReceived: 0, inFlight: 0, unsentBytes: 0, retransmits: 0 })

    // The peer does not read: its window closes, and the rest stays here.
    for (let at = 0; at < SENT; at += 100_000) socket.write(Buffer.alloc(100_000))
    await until(() => info().unsentBytes > 0 && info().inFlight === 0)
    t.ok(info().unsentBytes > 0 && info().bytesAcknowledged < SENT, 'it waits for the window')

    say()
    await until(() => got === RECEIVED && info().bytesAcknowledged === SENT)
    say()
    const kernel = JSON.parse((await lines.next()).value) as Record<string, number>
    const ours = info()
    const elapsedUs = (performance.now() - started) * 1000
    t.comment(JSON.stringify({ ours, kernel }))
    t.match(ours, { bytesAcknowledged: SENT, bytesReceived: RECEIVED, inFlight: 0, unsentBytes: 0 })
    t.equal(kernel.bytes_received, SENT)
    t.ok((kernel.bytes_acked as number) - RECEIVED <= 1, 'Linux counts the SYN, too')
    t.equal(ours.segmentBytes, kernel.advmss, "an MTU's worth without headers and options")
    t.ok(ours.rttUs > 0 && ours.rttUs < elapsedUs, 'a round trip was measured')
    t.ok(ours.rttVariationUs >= 0 && ours.rttVariationUs < elapsedUs)
    t.ok(ours.retransmissionTimeoutUs >= ours.rttUs, 'RFC 6298 2.3')
    t.ok(ours.congestionWindow >= 1 && ours.slowStartThreshold >= 1)
    t.ok(ours.segmentsOut >= SENT / ours.segmentBytes + ours.retransmits, 'each byte was in a segment')
    // Linux begins to count an accepted connection's after the handshake's first two.
    t.ok((kernel.segs_in as number) <= ours.segmentsOut, 'acknowledgements are segments, too')
    t.ok(ours.segmentsIn <= (kernel.segs_out as number) + 1)
    t.ok(ours.segmentsIn >= RECEIVED / (kernel.advmss as number))
    // By its right edge: our last acknowledgement may still be on its way. (The SYN counts, see above.)
    const edge = (kernel.bytes_acked as number) + (kernel.snd_wnd as number)
    t.ok((kernel.snd_wnd as number) > 0 && edge <= RECEIVED + 1 + ours.receiveWindowBytes, 'the window')
    child.stdin?.end()
    await once(socket, 'close')
    t.equal(socket.info(), undefined, 'no connection, no numbers')
})
