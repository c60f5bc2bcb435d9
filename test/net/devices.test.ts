// SPDX-License-Identifier: Apache-2.0
// Virtual devices that no other test uses: tap, pcap, a bond of two interfaces.
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { must } from '../../tools/net/commands.js'
import { makeWire } from '../../tools/net/wire.js'
import { serve, skipWithoutEnds, startClient, startEnd } from './support/ends.js'

skipWithoutEnds()
const folder = mkdtempSync(join(tmpdir(), 'pronghorn-devices-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const clean = { stderr: '', status: 0 }
let port = 7700

const O_ASYNC = 0o20000
const SIGRTMIN = 34

/* The signals of DPDK's tap driver would wake whatever call of the program sleeps in the kernel. */
function signalsOf(pid: number) {
    const caught = readFileSync(`/proc/${pid}/status`, 'utf8').match(/SigCgt:\s*(\w+)/)?.[1] ?? ''
    const taps = readdirSync(`/proc/${pid}/fd`).filter(
        (fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === '/dev/net/tun',
    )
    const flags = taps.map(
        (fd) => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').match(/flags:\s*(\d+)/)?.[1],
    )
    return {
        handlers: BigInt(`0x${caught}`) >> BigInt(SIGRTMIN - 1),
        taps: taps.length > 0,
        asks: flags.some((text) => Number.parseInt(text ?? '', 8) & O_ASYNC),
    }
}

t.test('tap', async (t) => {
    const bare = makeWire()
    t.teardown(() => bare.close())
    const wire = { ...bare, home: bare.namespace } // the kernel's end of a tap is where we are
    const inside = (...command: string[]) => must('ip', 'netns', 'exec', wire.namespace, ...command)
    const env = { PRONGHORN_PORT: 'tap,iface=ptap0,address=10.87.9.1/24,address=fd87:9::1/64' }
    const server = await serve(wire, 'ours', ++port, env)
    inside('ip', 'addr', 'add', '10.87.9.2/24', 'dev', 'ptap0')
    inside('ip', '-6', 'addr', 'add', 'fd87:9::2/64', 'dev', 'ptap0', 'nodad')
    for (const to of ['10.87.9.1', 'fd87:9::1']) {
        for (const work of [
            { what: 'echo', count: 200, bytes: 20_000, atOnce: 20 },
            { what: 'sink', bytes: 16_000_000 },
            { what: 'source', bytes: 16_000_000 },
        ]) {
            const told = await startClient(wire, 'kernel', to, port, work).told
            t.match(told, { ok: work.count ?? 1, failed: 0 }, `${work.what} to ${to}`)
        }
        const told = await startEnd(wire, 'kernel', ['datagrams', to, port, 0, 1, 1472, 9000, 65000]).told
        t.match(told, { ok: 5, lost: 0, altered: 0 }, 'datagrams')
    }
    t.strictSame(
        signalsOf(server.child.pid as number),
        { handlers: 0n, taps: true, asks: false },
        'no signals',
    )
    const again = await startEnd(wire, 'ours', ['serve', '::', 7799], env).told
    t.match(again.stderr, /port tap ptap0: the interface exists already.*ip link del ptap0/)
    t.match(await server.stop(), clean)
    t.notMatch(inside('ip', 'link'), 'ptap0', 'its interface goes with it')
})

/* One record of a capture file, libpcap's classic format, in this machine's byte order. */
const PCAP_HEADER = Buffer.from(
    new Uint8Array(new Uint32Array([0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1]).buffer),
)
const record = (frame: Buffer) => {
    const head = Buffer.from(new Uint8Array(new Uint32Array([1, 0, frame.length, frame.length]).buffer))
    return Buffer.concat([head, frame])
}

function framesOf(file: Buffer): Buffer[] {
    const frames: Buffer[] = []
    for (let at = 24; at + 16 <= file.length; ) {
        const length = file.readUInt32LE(at + 8)
        frames.push(file.subarray(at + 16, at + 16 + length))
        at += 16 + length
    }
    return frames
}

t.test('pcap', async (t) => {
    const wire = makeWire()
    t.teardown(() => wire.close())
    const [from, to] = [join(folder, 'in.pcap'), join(folder, 'out.pcap')]
    // Who has 10.1.1.1? 10.1.1.2 at 02:00:00:00:00:02 asks.
    const arp = Buffer.from(
        `ffffffffffff020000000002${'0806'}0001080006040001020000000002${'0a010102'}000000000000${'0a010101'}`,
        'hex',
    )
    writeFileSync(from, Buffer.concat([PCAP_HEADER, record(arp)]))
    const env = { PRONGHORN_PORT: `pcap,path=${from},address=10.1.1.1/24,arguments=tx_pcap=${to}` }
    const server = await serve(wire, 'ours', ++port, env)
    const answer = () =>
        framesOf(readFileSync(to)).find((f) => f.readUInt16BE(12) === 0x0806 && f.readUInt16BE(20) === 2)
    for (const start = performance.now(); !answer() && performance.now() - start < 10_000; ) await sleep(20)
    const reply = answer()
    t.match(await server.stop(), clean)
    t.equal(
        reply?.subarray(0, 6).toString('hex'),
        '020000000002',
        'what was in one file is answered in the other',
    )
    t.equal(reply?.subarray(28, 32).toString('hex'), '0a010101')
    const wrong = { PRONGHORN_PORT: `pcap,path=${join(folder, 'nope')},address=10.1.1.1/24` }
    const told = await startEnd(wire, 'ours', ['serve', '::', 7799], wrong).told
    t.match(told.stderr, /^port pcap .*nope/, 'a file that is not there')
})

t.test('a bond of two interfaces, one of which goes down', async (t) => {
    const wire = makeWire()
    const second = makeWire()
    t.teardown(() => {
        wire.close()
        second.close()
    })
    const inside = (...command: string[]) => must('ip', 'netns', 'exec', wire.namespace, ...command)
    // Both other ends in one bridge, as in a switch.
    must('ip', '-n', second.namespace, 'link', 'set', second.peerDevice, 'netns', wire.namespace)
    inside('ip', 'addr', 'flush', 'dev', wire.peerDevice)
    inside('ip', 'link', 'add', 'br0', 'type', 'bridge')
    for (const name of [wire.peerDevice, second.peerDevice]) {
        inside('ip', 'link', 'set', name, 'master', 'br0', 'up')
    }
    inside('ethtool', '-K', 'br0', 'tx', 'off')
    inside('ip', 'link', 'set', 'br0', 'up')
    inside('ip', 'addr', 'add', `${wire.peer4}/24`, 'dev', 'br0')
    inside('ip', '-6', 'addr', 'add', `${wire.peer6}/64`, 'dev', 'br0', 'nodad')
    const members = `af_packet:${wire.device}+af_packet:${second.device}`
    const env = {
        PRONGHORN_PORT: `bond,mode=1,members=${members},address=${wire.our4}/24,address=${wire.our6}/64`,
        PRONGHORN_LOG_LEVEL: 'error',
    }
    const server = await serve(wire, 'ours', ++port, env)
    const works = { what: 'echo', count: 50, bytes: 20_000, atOnce: 5 }
    const check = async (name: string) => {
        for (const to of [wire.our4, wire.our6]) {
            const told = await startClient(wire, 'kernel', to, port, works).told
            t.match(told, { ok: 50, failed: 0 }, `${name}: ${to}`)
        }
    }
    await check('both are up')
    inside('ip', 'link', 'set', wire.peerDevice, 'down')
    await check('the first is down')
    inside('ip', 'link', 'set', wire.peerDevice, 'up')
    inside('ip', 'link', 'set', second.peerDevice, 'down')
    await check('the second is down')
    inside('ip', 'link', 'set', second.peerDevice, 'up')
    // A connection goes on while the links change.
    const bulk = startClient(wire, 'kernel', wire.our4, port, { what: 'echo', bytes: 200_000_000 }).told
    for (const name of [wire.peerDevice, second.peerDevice]) {
        await sleep(300)
        inside('ip', 'link', 'set', name, 'down')
        await sleep(300)
        inside('ip', 'link', 'set', name, 'up')
    }
    t.match(await bulk, { ok: 1, failed: 0 }, 'a connection outlives both')
    t.match(await server.stop(), clean)
})
