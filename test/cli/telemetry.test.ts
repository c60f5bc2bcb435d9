// SPDX-License-Identifier: Apache-2.0
/* The numbers of the segment through DPDK's telemetry socket, asked as dpdk-telemetry.py does. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import t from 'tap'
import { readSegment } from '../../lib/stats/index.js'
import { eventually, root, Target } from './support.js'

/** Listening sockets of the telemetry in the kernel's table that are this process's. */
function socketsOf(pid: number): string[] {
    const inodes = new Set(
        readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
            try {
                return readlinkSync(`/proc/${pid}/fd/${fd}`).match(/^socket:\[(\d+)\]$/)?.[1] ?? []
            } catch {
                return []
            }
        }),
    )
    return readFileSync('/proc/net/unix', 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter((words) => inodes.has(words[6]!) && /dpdk_telemetry\.v2/.test(words[7] ?? ''))
        .map((words) => words[7]!)
}

/** SOCK_SEQPACKET, which Node does not speak: Python does. */
const ASK = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
limit = json.loads(s.recv(1024))["max_output_len"]
answers = []
for command in sys.argv[2:]:
    s.send(command.encode())
    answers.append(json.loads(s.recv(limit)))
print(json.dumps(answers))
`
// biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
const ask = (path: string, ...commands: string[]): any[] =>
    JSON.parse(execFileSync('python3', ['-c', ASK, path, ...commands], { encoding: 'utf8' }))

t.test('off: no socket, no thread', async (t) => {
    const plain = await Target.start()
    t.same(socketsOf(plain.pid), [])
    await plain.end()
})

t.test('on', async (t) => {
    const target = await Target.start({
        PRONGHORN_STATS_TELEMETRY: 'on',
        PRONGHORN_RUNTIME_NAME: 'told',
    })
    t.teardown(() => target.end('SIGKILL'))
    const [path, ...others] = socketsOf(target.pid)
    t.ok(path, 'there is a socket')
    // (DPDK has one more, of the form that its first version had.)
    t.ok(others.every((other) => !other.includes('.v2')))
    t.equal(statSync(path!).mode & 0o777, 0o600)

    await target.tell('echo 5000 20')
    // At rest, what one says is what the other says; a timer or an ARP may come between.
    const names = [
        'rx_packets',
        'tx_packets',
        'tcp_connects',
        'tcp_accepts',
        'sockets_tcp',
        'tcp_segments_in',
    ]
    const { told, read } = await eventually(
        () => {
            const [info, stacks, all, first, second, latency] = ask(
                path!,
                '/pronghorn/info',
                '/pronghorn/stacks',
                '/pronghorn/stats',
                '/pronghorn/stack,0',
                '/pronghorn/stack,1',
                '/pronghorn/latency,1',
            )
            return { told: { info, stacks, all, first, second, latency }, read: readSegment(target.pid) }
        },
        ({ told, read }) =>
            names.every((name) => {
                const value = (i: number) =>
                    ({ ...read.stacks[i]!.counters, ...read.stacks[i]!.gauges })[name]
                return (
                    told.first['/pronghorn/stack'][name] === value(0) &&
                    told.second['/pronghorn/stack'][name] === value(1)
                )
            }),
    )
    const info = told.info['/pronghorn/info']
    t.match(info, { name: 'told', pid: target.pid, stacks: 2 })
    t.same(told.stacks['/pronghorn/stacks'], [0, 1])
    const [first, second, all] = [
        told.first['/pronghorn/stack'],
        told.second['/pronghorn/stack'],
        told.all['/pronghorn/stats'],
    ]
    for (const name of names) {
        const [a, b] = read.stacks.map(({ counters, gauges }) => (counters[name] ?? gauges[name])!)
        t.same([first[name], second[name], all[name]], [a, b, a! + b!], name)
    }
    t.ok(first.rx_packets > 20)
    const everything = [...Object.keys(read.stacks[0]!.counters), ...Object.keys(read.stacks[0]!.gauges)]
    t.same(Object.keys(first).sort(), everything.sort(), 'every counter and level by its name')
    const { rx_wait_ns } = told.latency['/pronghorn/latency']
    const histogram = read.stacks[1]!.histograms.rx_wait_ns!
    t.equal(rx_wait_ns.count, histogram.count)
    t.equal(rx_wait_ns.p99, histogram.quantile(0.99))

    const [help, wrong, none, own] = ask(
        path!,
        '/help,/pronghorn/stack',
        '/pronghorn/stack,7',
        '/pronghorn/stack',
        '/ethdev/list',
    )
    t.match(JSON.stringify(help), /of a stack/)
    t.equal(wrong['/pronghorn/stack'], null)
    t.equal(none['/pronghorn/stack'], null)
    t.equal(own['/ethdev/list'].length, 2, "DPDK's own commands are there too")
    await target.end()
    t.throws(() => statSync(path!), 'gone with its process')
})

t.test("its threads keep off the stacks' cores", { skip: availableParallelism() < 2 }, async (t) => {
    const code = `import { runtime } from './lib/index.js'
        runtime.start()
        console.log('started')
        setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
        cwd: root,
        env: { ...process.env, PRONGHORN_STATS_TELEMETRY: 'on', PRONGHORN_STACK_CORES: '0' },
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    const threads = readdirSync(`/proc/${child.pid}/task`).map((tid) => {
        const of = (name: string) => readFileSync(`/proc/${child.pid}/task/${tid}/${name}`, 'utf8')
        return { name: of('comm').trim(), cpus: of('status').match(/^Cpus_allowed_list:\s*(\S+)/m)![1]! }
    })
    const telemetry = threads.filter(({ name }) => /telemet/.test(name))
    t.ok(telemetry.length >= 1)
    for (const { name, cpus } of telemetry) t.not(cpus.split(/[-,]/)[0], '0', `${name}: ${cpus}`)
    t.ok(
        threads.some(({ name, cpus }) => name === 'pronghorn-0' && cpus === '0'),
        'and the stack is there alone',
    )
})
