// SPDX-License-Identifier: Apache-2.0
// Somebody else's packet socket has the fanout number that DPDK derives from our process and interface.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { runtime } from '../../lib/index.js'
import { makeWire } from '../../tools/net/wire.js'
import { skipWithoutWires } from './support/stack.js'

skipWithoutWires()
const wire = makeWire()
const index = Number(readFileSync(`/sys/class/net/${wire.device}/ifindex`, 'utf8'))
const number = (process.pid ^ index) & 0xffff
const code = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.bind(('lo', 0x0800))
s.setsockopt(263, 18, ${number}) # SOL_PACKET, PACKET_FANOUT
print('ready', flush=True)
sys.stdin.read()`
const other = spawn('python3', ['-c', code], { stdio: ['pipe', 'pipe', 'inherit'] })
t.teardown(async () => {
    runtime.stop()
    other.stdin.end()
    await once(other, 'exit')
    wire.close()
})
await once(other.stdout, 'data')

t.test('the port opens all the same, and its packets are its own', async (t) => {
    runtime.start({ port: wire.port })
    const { status, stdout, stderr } = await wire.run('ping', ['-c1', '-W5', wire.our4])
    t.equal(status, 0, 'it answers', { stdout, stderr })
})
