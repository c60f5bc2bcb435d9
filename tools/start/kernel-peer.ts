// SPDX-License-Identifier: Apache-2.0
/* The main job against the kernel: our server on a veth, the kernel's programs in a namespace. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { patternSha256 } from '../../examples/pattern.js'
import { cleanup } from '../net/cleanup.js'
import { end } from '../net/commands.js'
import { reserveHugepages } from '../net/hugepages.js'
import { makeWire, type Wire } from '../net/wire.js'
import { printCounters } from './counters.js'
import { gbit, mib, type Report } from './report.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const START_TIMEOUT_MS = 20_000
const BIG = 100 * 1048576
const UDP_PORT = 7
const HUGEPAGES_MIB = 128

/* Starts examples/http-server.ts (and the UDP echo beside it) on our end; resolves when it listens. */
async function startServer(wire: Wire, report: Report): Promise<ChildProcess> {
    const start = performance.now()
    const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'tools/start/server.ts')], {
        cwd: root,
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, PRONGHORN_PORT: wire.port, UDP_PORT: String(UDP_PORT) },
    })
    cleanup(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
    const ready = new Promise<string>((resolve) => lines.once('line', resolve))
    const line = await Promise.race([ready, once(child, 'exit').then(() => undefined)])
    clearTimeout(timer)
    if (line === undefined) throw new Error('the server did not start (see above)')
    report.note(`${line}; up after ${(performance.now() - start).toFixed(0)} ms, Node's own start included`)
    return child
}

function pings(wire: Wire, address: string) {
    return async () => {
        const { status, stdout } = await wire.run('ping', ['-c', '10', '-i', '0.05', '-W', '2', address])
        const lost = stdout.match(/([\d.]+)% packet loss/)?.[1]
        const [, min, avg, max] = stdout.match(/= ([\d.]+)\/([\d.]+)\/([\d.]+)\//) ?? []
        if (status !== 0 || lost !== '0') throw new Error(`${lost ?? '?'} % lost`)
        return `10 of 10, ${ms(min)}/${ms(avg)}/${ms(max)} us min/avg/max`
    }
}

const ms = (text: string | undefined) => (Number(text) * 1000).toFixed(0)

async function curlSmall(wire: Wire, url: string): Promise<string> {
    const { status, stdout, stderr } = await wire.run('curl', [
        '-sS',
        '-g',
        '-m',
        '10',
        '-w',
        '%{stderr}%{time_total}',
        url,
    ])
    if (status !== 0 || !stdout.startsWith('Hello')) throw new Error(`${stderr} ${stdout}`.trim())
    return `"${stdout.trim()}" in ${(Number(stderr) * 1000).toFixed(1)} ms`
}

/* A download whose bytes are hashed as they come and compared with what they must be. */
async function curlBig(wire: Wire, url: string): Promise<string> {
    const start = performance.now()
    const child = wire.spawn('curl', ['-sS', '-g', '-m', '60', `${url}/bytes/${BIG}`], {
        stdio: ['ignore', 'pipe', 'pipe'],
    })
    const hash = createHash('sha256')
    let bytes = 0
    let words = ''
    child.stderr?.on('data', (data) => {
        words += data
    })
    child.stdout?.on('data', (data: Buffer) => {
        hash.update(data)
        bytes += data.length
    })
    const [status] = await once(child, 'close')
    const took = performance.now() - start
    if (status !== 0 || bytes !== BIG)
        throw new Error(`${mib(bytes)} of ${mib(BIG)} MiB; curl: ${status} ${words.trim()}`)
    if (hash.digest('hex') !== patternSha256(BIG)) throw new Error('the checksum differs')
    return `${mib(bytes)} MiB in ${took.toFixed(0)} ms = ${gbit(bytes, took)} Gbit/s, checksum equal`
}

/* An upload: the server answers with the checksum of what it received. */
async function curlUpload(wire: Wire, url: string): Promise<string> {
    const size = BIG / 4
    const start = performance.now()
    const code = `import('${join(root, 'examples/pattern.ts')}').then(async ({ pattern }) => {
        for (const block of pattern(${size})) if (!process.stdout.write(Buffer.from(block))) await new Promise((r) => process.stdout.once('drain', r))
    })`
    const source = spawn(process.execPath, ['--import', 'tsx', '-e', code], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    const child = wire.spawn(
        'curl',
        ['-sS', '-g', '-m', '60', '-T', '-', '-X', 'POST', '-H', 'Expect:', `${url}/sha256`],
        {
            stdio: [source.stdout, 'pipe', 'pipe'],
        },
    )
    let text = ''
    child.stdout?.on('data', (data) => {
        text += data
    })
    child.stderr?.on('data', (data) => {
        text += data
    })
    await once(child, 'close')
    const took = performance.now() - start
    if (text.trim() !== patternSha256(size)) throw new Error(`the checksum differs: ${text.trim()}`)
    return `${mib(size)} MiB in ${took.toFixed(0)} ms, checksum equal`
}

async function udpEcho(wire: Wire, address: string): Promise<string> {
    const script = join(root, 'tools/start/udp-peer.mjs')
    const { stdout, stderr } = await wire.run(process.execPath, [script, address, String(UDP_PORT), '200'])
    const { sent, same, p50_us, p99_us } = JSON.parse(stdout || '{}')
    if (!sent || same !== sent)
        throw new Error(`${same ?? 0} of ${sent ?? '?'} came back as they went ${stderr}`)
    return `${same} of ${sent} datagrams came back as they went, ${p50_us}/${p99_us} us p50/p99`
}

function untilInterrupted(child: ChildProcess): Promise<void> {
    return new Promise((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
        child.once('exit', () => resolve())
    })
}

export async function kernelPeer(report: Report, serve: boolean): Promise<void> {
    const giveBack = reserveHugepages(HUGEPAGES_MIB)
    const wire = makeWire()
    let server: ChildProcess | undefined
    try {
        report.title(
            `Our stack on ${wire.device} (${wire.our4}, ${wire.our6}), the kernel in namespace ${wire.namespace}`,
        )
        server = await startServer(wire, report)
        if (serve) {
            report.title('From a second terminal (as root); Ctrl-C here ends it:')
            report.note(`ip netns exec ${wire.namespace} curl http://${wire.our4}/`)
            report.note(
                `ip netns exec ${wire.namespace} curl -g 'http://[${wire.our6}]/bytes/1000000' | sha256sum`,
            )
            report.note(`ip netns exec ${wire.namespace} ping ${wire.our4}`)
            await untilInterrupted(server)
        } else {
            for (const [name, address] of [
                ['IPv4', wire.our4],
                ['IPv6', wire.our6],
            ] as const) {
                const url = address.includes(':') ? `http://[${address}]` : `http://${address}`
                await report.check(`${name}: ping`, pings(wire, address))
                await report.check(`${name}: curl, small`, () => curlSmall(wire, `${url}/`))
                await report.check(`${name}: curl, 100 MiB`, () => curlBig(wire, url))
                await report.check(`${name}: curl, upload`, () => curlUpload(wire, url))
                await report.check(`${name}: UDP echo`, () => udpEcho(wire, address))
            }
            report.title('Counters of the server, as it runs:')
            await report.check('statistics segment', () => printCounters(server?.pid as number, report))
        }
        await report.check('the server ends', async () => {
            const start = performance.now()
            await end(server as ChildProcess)
            if (server?.signalCode === 'SIGKILL') throw new Error('it had to be killed')
            return `in ${(performance.now() - start).toFixed(0)} ms`
        })
    } catch (error) {
        report.failed++
        report.note(`FAILED: ${(error as Error).message}`)
    } finally {
        if (server) await end(server)
        wire.close()
        giveBack?.()
    }
}
