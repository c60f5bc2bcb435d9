// SPDX-License-Identifier: Apache-2.0
// What others make of what the tool writes: Prometheus's own checker, and Wireshark's.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { pronghorn, Target, tool } from '../cli/support.js'

const target = await Target.start({ PRONGHORN_RUNTIME_NAME: 'observed "one"' })
t.teardown(() => target.end('SIGKILL'))
const of = ['--pid', `${target.pid}`]
const folder = t.testdir()
await target.tell('echo 20000 3')

t.test('promtool takes the numbers without a word', async (t) => {
    const { out } = await pronghorn('export', '--format', 'prometheus', ...of)
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
        input: out,
        encoding: 'utf8',
    })
    t.equal(`${stdout}${stderr}`, '')
    t.equal(status, 0)
})

/** Each kind of checksum that tshark knows is verified; what is cut off it cannot verify. */
const checks = ['tcp', 'udp', 'ip'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`])
const shark = (file: string, filter: string, ...more: string[]) =>
    execFileSync('tshark', ['-r', file, ...checks, '-Y', filter, ...more], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
    })
        .split('\n')
        .filter(Boolean)
const BAD = 'tcp.checksum.status==0 or udp.checksum.status==0 or ip.checksum.status==0 or _ws.malformed'

t.test('tshark reads a capture, and every checksum holds', async (t) => {
    const file = join(folder, 'capture.pcapng')
    const capture = spawn(process.execPath, [tool, 'capture', '-w', file, ...of], {
        stdio: ['ignore', 'ignore', 'pipe'],
    })
    t.teardown(() => capture.kill('SIGKILL'))
    await once(capture.stderr, 'data')
    await target.tell('echo 50000')
    await target.tell('datagrams 3')
    const exit = once(capture, 'exit')
    capture.kill('SIGINT')
    t.same(await exit, [0, null])
    t.same(shark(file, BAD), [])
    t.ok(shark(file, 'tcp.checksum.status==1').length > 50)
    t.ok(shark(file, 'udp.checksum.status==1').length > 5)
})

t.test('and a flight recorder, with the events between the packets', async (t) => {
    const file = join(folder, 'flight.pcapng')
    await target.tell('open 2')
    const { code, err } = await pronghorn('flight', '-w', file, ...of)
    t.equal(code, 0, err)
    // What is longer than the snap length is cut: short packets are whole, the rest cannot be verified.
    t.same(shark(file, `(${BAD}) and frame.cap_len == frame.len`), [])
    t.ok(shark(file, 'tcp.checksum.status==1').length > 5)
    const events = shark(file, 'systemd_journal', '-V').join('\n')
    t.match(events, /syn-sent -> established/)
})
