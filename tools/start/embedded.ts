// SPDX-License-Identifier: Apache-2.0
/*
 * The main job without privileges: one process, two stacks joined by the in-process wire, no
 * hugepages. The same HTTP server on one of them, a client on the other.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, get, type IncomingMessage, request } from 'node:http'
import { runtime } from 'pronghorn'
import { connect } from 'pronghorn/net'
import { serveHttp } from '../../examples/http-server.js'
import { pattern, patternSha256 } from '../../examples/pattern.js'
import { printCounters } from './counters.js'
import { gbit, mib, type Report } from './report.js'

const SERVER = '10.86.0.1'
const CLIENT = '10.86.0.2'
const SERVER6 = 'fd86::1'
const CLIENT6 = 'fd86::2'
const BIG = 100 * 1048576
const SMALL_COUNT = 200

/* Node's HTTP client with connections of ours, from the client's stack to the server's. */
function agentFor(six: boolean): Agent {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const [host, localAddress] = six ? [SERVER6, CLIENT6] : [SERVER, CLIENT]
    Object.assign(agent, { createConnection: () => connect({ host, port: 80, localAddress }) })
    return agent
}

async function fetchFrom(agent: Agent, path: string): Promise<IncomingMessage> {
    const [response] = (await once(get({ agent, path, host: SERVER }), 'response')) as [IncomingMessage]
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
    return response
}

async function textOf(response: IncomingMessage): Promise<string> {
    let text = ''
    for await (const data of response) text += data
    return text
}

async function small(agent: Agent): Promise<string> {
    const times: number[] = []
    let text = ''
    for (let i = 0; i < SMALL_COUNT; i++) {
        const start = performance.now()
        text = await textOf(await fetchFrom(agent, '/'))
        times.push((performance.now() - start) * 1000)
    }
    if (!text.startsWith('Hello')) throw new Error(`answered "${text}"`)
    times.sort((a, b) => a - b)
    const at = (part: number) => (times[Math.floor((times.length - 1) * part)] as number).toFixed(0)
    return `${SMALL_COUNT} requests on one connection, ${at(0.5)}/${at(0.99)} us p50/p99`
}

async function big(agent: Agent): Promise<string> {
    const start = performance.now()
    const hash = createHash('sha256')
    let bytes = 0
    for await (const data of await fetchFrom(agent, `/bytes/${BIG}`)) {
        hash.update(data)
        bytes += data.length
    }
    const took = performance.now() - start
    if (bytes !== BIG) throw new Error(`${mib(bytes)} of ${mib(BIG)} MiB`)
    if (hash.digest('hex') !== patternSha256(BIG)) throw new Error('the checksum differs')
    return `${mib(bytes)} MiB in ${took.toFixed(0)} ms = ${gbit(bytes, took)} Gbit/s, checksum equal`
}

async function upload(agent: Agent): Promise<string> {
    const size = BIG / 4
    const start = performance.now()
    const post = request({ agent, host: SERVER, path: '/sha256', method: 'POST' })
    const answered = once(post, 'response') as Promise<[IncomingMessage]>
    for (const block of pattern(size)) if (!post.write(Buffer.from(block))) await once(post, 'drain')
    post.end()
    const text = await textOf((await answered)[0])
    if (text.trim() !== patternSha256(size)) throw new Error('the checksum differs')
    return `${mib(size)} MiB in ${(performance.now() - start).toFixed(0)} ms, checksum equal`
}

export async function embedded(report: Report, serve: boolean): Promise<void> {
    const start = performance.now()
    runtime.start({
        memory: { hugepages: 'off' },
        stack: { count: 2 },
        port: [
            `wire,id=0,address=${SERVER}/24,address=${SERVER6}/64,stacks=0`,
            `wire,id=0,address=${CLIENT}/24,address=${CLIENT6}/64,stacks=1`,
        ],
    })
    await serveHttp(80, '::')
    report.title(`Two stacks in this process: ${SERVER} serves, ${CLIENT} asks`)
    report.note(`pronghorn ${runtime.version}; up after ${(performance.now() - start).toFixed(0)} ms`)
    for (const six of [false, true]) {
        const agent = agentFor(six)
        const name = six ? 'IPv6' : 'IPv4'
        await report.check(`${name}: http, small`, () => small(agent))
        await report.check(`${name}: http, 100 MiB`, () => big(agent))
        await report.check(`${name}: http, upload`, () => upload(agent))
        agent.destroy()
    }
    report.title('Counters of this process:')
    await report.check('statistics segment', () => printCounters(process.pid, report))
    if (serve) {
        report.title(
            'It stays up until Ctrl-C. (The wire ends in this process: as root there is a curl line.)',
        )
        await Promise.race((['SIGINT', 'SIGTERM'] as const).map((signal) => once(process, signal)))
    }
    runtime.stop()
}
