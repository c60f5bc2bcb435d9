// SPDX-License-Identifier: Apache-2.0
/* Packets of a live process, to files that are read back strictly (and by tshark where there is one). */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checksumsHold, readCapture } from './pcapng.js'
import { eventually, pronghorn, Target, tool } from './support.js'

const target = await Target.start()
t.teardown(() => target.end('SIGKILL'))
const { pid, hello } = target
const of = ['--pid', `${pid}`]
const folder = t.testdir({})

/** The tool, from when it captures on. */
async function start(...args: string[]) {
    const child = spawn(process.execPath, [tool, ...args, ...of], { stdio: ['ignore', 'pipe', 'pipe'] })
    t.teardown(() => child.kill('SIGKILL'))
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (data) => out.push(data))
    const ready = new Promise<void>((resolve) => {
        child.stderr.on('data', (data) => {
            err.push(data)
            if (/ing; /.test(`${Buffer.concat(err)}`)) resolve()
        })
    })
    const exit = once(child, 'close')
    await Promise.race([ready, exit])
    return {
        child,
        async end(signal?: NodeJS.Signals) {
            if (signal) child.kill(signal)
            const [code] = await exit
            return { code, out: Buffer.concat(out), err: `${Buffer.concat(err)}` }
        },
    }
}

t.test('a known transfer, both ends, to stdout', async (t) => {
    const capture = await start('capture', 'tcp', 'port', `${hello.port}`)
    const before = BigInt(Date.now()) * 1_000_000n
    await target.tell('echo 100000')
    const { code, out, err } = await capture.end('SIGINT')
    t.equal(code, 0, err)
    const { interfaces, packets, statistics } = readCapture(out)
    t.equal(interfaces.length, 2)
    t.equal(interfaces[0]!.filter, `tcp port ${hello.port}`)
    t.ok(packets.every(checksumsHold), 'every checksum holds')
    // Each byte is seen four times: sent and received, there and back. (One that was repeated counts once.)
    const seen = new Set<string>()
    const payload = ({ bytes, direction }: { bytes: Buffer; direction: number }) => {
        const ip = bytes.subarray(14)
        const key = `${direction} ${ip.readUInt16BE(20)} ${ip.readUInt32BE(24)}`
        if (seen.has(key)) return 0
        const length = ip.readUInt16BE(2) - 20 - (ip[32]! >> 4) * 4
        if (length > 0) seen.add(key)
        return length
    }
    for (const direction of [1, 2]) {
        const own = packets.filter((packet) => packet.direction === direction)
        t.equal(
            own.reduce((bytes, packet) => bytes + payload(packet), 0),
            200_000,
            `direction ${direction}`,
        )
    }
    t.ok(
        packets.every(({ timeNs }, i) => i === 0 || timeNs >= packets[i - 1]!.timeNs),
        'in order',
    )
    t.ok(packets[0]!.timeNs > before - 60_000_000_000n && packets[0]!.timeNs < before + 120_000_000_000n)
    t.ok(new Set(packets.map(({ timeNs }) => timeNs % 1000n)).size > 1, 'nanoseconds')
    t.equal(
        statistics.reduce((sum, { received }) => sum + received, 0),
        packets.length,
    )
    t.ok(statistics.every(({ dropped }) => dropped === 0))
})

t.test('to a pipe, as they come, until its reader leaves', async (t) => {
    for (let i = 0; i < 5; i++) {
        // more often than there can be captures at once
        const child = spawn(process.execPath, [tool, 'capture', 'tcp', ...of], {
            stdio: ['ignore', 'pipe', 'pipe'],
        })
        t.teardown(() => child.kill('SIGKILL'))
        const exit = once(child, 'close')
        let err = ''
        child.stderr.on('data', (data) => {
            err += data
        })
        let got = 0
        const more = new Promise<void>((resolve) => {
            child.stdout.on('data', (data) => {
                got += data.length
                if (got > 10_000) resolve()
            })
        })
        await eventually(
            () => err,
            (text) => /Capturing/.test(text),
        )
        await target.tell('echo 10000')
        await Promise.race([more, exit])
        t.ok(got > 10_000, `${got} bytes while it goes on`)
        child.stdout.destroy()
        child.stderr.destroy()
        await target.tell('echo 10000')
        t.same(await exit, [0, null])
    }
})

t.test('a filter, one stack, one way, a snap length, a count', async (t) => {
    const file = join(folder, 'one.pcapng')
    const args = ['-w', file, '--stack', '1', '--direction', 'in', '-s', '60', '-c', '5', 'udp']
    const capture = await start('capture', ...args)
    await target.tell('datagrams 10')
    t.equal((await capture.end()).code, 0)
    const { interfaces, packets } = readCapture(readFileSync(file))
    t.equal(interfaces.length, 1)
    t.equal(interfaces[0]!.snaplen, 60)
    t.equal(packets.length, 5)
    t.ok(packets.every(({ bytes, direction }) => bytes.length <= 60 && direction === 1 && bytes[23] === 17))
})

t.test('ring files', async (t) => {
    const args = ['-w', join(folder, 'ring.pcapng'), '-C', '20K', '-W', '3']
    const capture = await start('capture', ...args)
    await target.tell('echo 100000 3')
    t.equal((await capture.end('SIGTERM')).code, 0)
    const files = readdirSync(folder).filter((name) => name.startsWith('ring.'))
    t.equal(files.length, 3)
    for (const name of files) {
        const { interfaces, packets } = readCapture(readFileSync(join(folder, name)))
        t.equal(interfaces.length, 2, name)
        t.ok(packets.length > 0)
    }
})

t.test('a flight recorder keeps the last packets', async (t) => {
    const file = join(folder, 'flight.pcapng')
    const recorder = await start('record', '-w', file, '--buffer', '256K', 'tcp')
    await target.tell('echo 500000 3')
    t.equal((await recorder.end('SIGUSR1')).code, 0)
    const { packets } = readCapture(readFileSync(file))
    const bytes = packets.reduce((sum, packet) => sum + packet.bytes.length, 0)
    t.ok(bytes > 200_000 && bytes < 600_000, `${bytes} bytes of two rings`)
})

t.test('its trigger writes it out', async (t) => {
    const file = join(folder, 'drop.pcapng')
    const recorder = await start('record', '-w', file, '--trigger', 'retransmission', '--after', '1ms')
    t.equal((await pronghorn('inject', '--loss', '2%', '--direction', 'out', '--seed', '5', ...of)).code, 0)
    await target.tell('echo 100000 3')
    t.equal((await recorder.end()).code, 0)
    t.equal((await pronghorn('inject', '--off', ...of)).code, 0)
    t.ok(readCapture(readFileSync(file)).packets.length > 5)
})

t.test('many at once, and more than there can be', async (t) => {
    const captures = await Promise.all([1, 2, 3, 4].map((i) => start('capture', '-w', join(folder, `m${i}`))))
    const fifth = await pronghorn('capture', '-w', join(folder, 'm5'), ...of)
    t.equal(fifth.code, 1)
    t.match(fifth.err, /as many captures run/)
    await target.tell('echo 10000')
    for (const capture of captures) t.equal((await capture.end('SIGINT')).code, 0)
    const counts = [1, 2, 3, 4].map((i) => readCapture(readFileSync(join(folder, `m${i}`))).packets.length)
    t.ok(
        counts.every((count) => count >= counts[0]! / 2 && count > 10),
        `${counts}`,
    )
})

t.test('what cannot be', async (t) => {
    const wrong = await pronghorn('capture', '-w', join(folder, 'x'), 'tcp', 'prot', '80', ...of)
    t.equal(wrong.code, 1)
    t.match(wrong.err, /filter "tcp prot 80": /)
    t.match((await pronghorn('capture', '-w', join(folder, 'x'), '--port', '77', ...of)).err, /no such port/)
    t.equal((await pronghorn('capture', '--duration', '5', ...of)).code, 2)
})

t.test('tshark agrees', { skip: !existsSync('/usr/bin/tshark') && 'no tshark here' }, async (t) => {
    const file = join(folder, 'shark.pcapng')
    const capture = await start('capture', '-w', file)
    await target.tell('echo 50000')
    await target.tell('datagrams 3')
    t.equal((await capture.end('SIGINT')).code, 0)
    const checks = ['tcp', 'udp', 'ip'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`])
    const shark = (filter: string) =>
        execFileSync('tshark', ['-r', file, ...checks, '-Y', filter], { stdio: ['ignore', 'pipe', 'ignore'] })
    t.equal(`${shark('tcp.checksum.status==0 or udp.checksum.status==0 or ip.checksum.status==0')}`, '')
    t.ok(`${shark('tcp.checksum.status==1')}`.split('\n').length > 50)
    const piped = spawn(
        'bash',
        ['-c', '"$0" "$@" | tshark -r -', process.execPath, tool, 'capture', '-c', '20', ...of],
        {
            stdio: ['ignore', 'pipe', 'inherit'],
        },
    )
    t.teardown(() => piped.kill('SIGKILL'))
    let text = ''
    piped.stdout.on('data', (data) => {
        text += data
    })
    const end = once(piped, 'close')
    let ended = false
    end.then(() => {
        ended = true
    })
    while (!ended) await target.tell('paced 5 10')
    t.same(await end, [0, null])
    t.equal(text.trim().split('\n').length, 20, 'through a pipe')
})
