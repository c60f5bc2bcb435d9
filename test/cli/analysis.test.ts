// SPDX-License-Identifier: Apache-2.0
/* latency, explain, doctor, export, config, completion. */

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { json, pronghorn, root, Target, tool } from './support.js'

const target = await Target.start({ PRONGHORN_RUNTIME_NAME: 'analysed' })
t.teardown(() => target.end('SIGKILL'))
const of = ['--pid', `${target.pid}`]
const folder = t.testdir({})

t.test('latency', async (t) => {
    await target.tell('echo 64 2000')
    const saved = join(folder, 'before.json')
    const svg = join(folder, 'plot.svg')
    const { latencies, unit } = await json('latency', '--save', saved, '--svg', svg, ...of)
    t.equal(unit, 'ns')
    t.equal(latencies.length, 6)
    for (const { kind, count, quantiles, max } of latencies) {
        t.ok(count >= 10, `${kind}: ${count}`)
        t.ok(quantiles.p50 > 0 && quantiles.p50 <= quantiles.p99 && quantiles['p99.99'] <= max, kind)
        t.ok(max < 60e9)
    }
    t.match(readFileSync(svg, 'utf8'), /^<svg .*<polyline .*<\/svg>\n$/s)
    t.match((await pronghorn('latency', ...of)).out, /port to read +[\d,]+ +\d/)

    const nothing = await json('latency', '--since', saved, ...of)
    const count = (answer: { latencies: { kind: string; count: number }[] }) =>
        answer.latencies.filter(({ kind }) => kind === 'tx_wait_ns').reduce((sum, row) => sum + row.count, 0)
    t.equal(count(nothing), 0, 'as after a reset')
    await target.tell('echo 64 320')
    const some = count(await json('latency', '--since', saved, ...of))
    t.ok(some >= 20 && some <= 60, `${some} of 640 writes were measured`)
    const other = await Target.start()
    t.equal((await pronghorn('latency', '--since', saved, '--pid', `${other.pid}`)).code, 2)
    await other.end()
    t.equal((await pronghorn('latency', '--since', join(folder, 'none'), ...of)).code, 2)
})

t.test('explain', async (t) => {
    await target.tell('stall 3000000')
    const { findings } = await json('explain', `${target.pid}`, '-i', '0.3')
    t.ok(findings.every((row: { what: string; remedy: string }) => row.what && row.remedy))
    const waits = findings.find((row: { what: string }) => /wait to be read/.test(row.what))
    t.ok(waits, 'the slow reader')
    const { sockets } = await json('show', 'sockets', 'recv_queue > 65536', ...of)
    t.equal(sockets.length, 1)
    const one = await json('explain', `${target.pid}`, `${sockets[0].fd}`, '-i', '0.1')
    t.match(one.sockets, [{ owner: 'ours', type: 'tcp' }])
    t.equal(one.sockets.length, 1)
    t.ok(one.findings.length >= 1)
    t.equal((await pronghorn('explain', `${target.pid}`, '99999')).code, 1)
    t.match((await pronghorn('explain', 'analysed', '-i', '0.1')).out, /-> /)
})

t.test('doctor', async (t) => {
    const { code, out } = await pronghorn('doctor', '--json')
    const { findings } = JSON.parse(out)
    t.ok(findings.length >= 10)
    t.equal(code, findings.some((row: { level: string }) => row.level === 'problem') ? 1 : 0)
    for (const row of findings) {
        t.match(row, { check: String, what: String, level: /^(ok|note|problem)$/ })
        t.ok(row.level === 'ok' || row.remedy || row.check === 'hugepages', row.check)
    }
    // What it advises can be done here, or it says who must do it.
    const remedies = findings.map(({ remedy }: { remedy?: string }) => remedy ?? '')
    for (const remedy of remedies.filter((text: string) => text.startsWith('ulimit ')))
        t.equal(spawnSync('bash', ['-c', remedy]).status, 0, remedy)
    for (const [, cores] of remedies.join('\n').matchAll(/isolcpus=(\S+)/g))
        t.ok(Number(cores!.split('-').at(-1)) < availableParallelism(), `cores ${cores}`)
    t.match((await pronghorn('doctor')).out, /^\w+ +hugepages/m)
    t.match((await pronghorn('doctor', 'none77')).out, /BAD +none77 +there is no such interface/)
})

/** The rules of OpenMetrics 1.0 that promtool checks, and some more. */
function checkMetrics(text: string): Map<string, number> {
    const lines = text.split('\n')
    if (lines.pop() !== '' || lines.pop() !== '# EOF') throw new Error('no end')
    const types = new Map<string, string>()
    const values = new Map<string, number>()
    let family = ''
    let last = ''
    for (const line of lines) {
        const meta = line.match(/^# (TYPE|HELP) ([a-z_][a-z0-9_]*) (.+)$/)
        if (meta) {
            if (meta[1] === 'TYPE') {
                if (types.has(meta[2]!)) throw new Error(`${meta[2]} twice`)
                types.set(meta[2]!, meta[3]!)
                family = meta[2]!
            } else if (meta[2] !== family) throw new Error(`help of ${meta[2]} within ${family}`)
            continue
        }
        const found = line.match(/^([a-z_][a-z0-9_]*)\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+)\} (\S+)$/)
        if (!found) throw new Error(`bad line: ${line}`)
        const [, name, labels, value] = found as unknown as [string, string, string, string]
        const suffixes: Record<string, string> = { counter: '_total', gauge: '', info: '_info' }
        const type = types.get(family)!
        const right =
            type === 'histogram'
                ? /^(_bucket|_count|_sum)$/.test(name.slice(family.length))
                : name === family + suffixes[type]
        if (!right || !name.startsWith(family)) throw new Error(`${name} in ${type} ${family}`)
        if (values.has(`${name}{${labels}}`)) throw new Error(`twice: ${line}`)
        if (Number.isNaN(Number(value))) throw new Error(`no number: ${line}`)
        values.set(`${name}{${labels}}`, Number(value))
        const series = labels.replace(/,le="[^"]*"/, '')
        if (name.endsWith('_bucket') && last === series && Number(value) < (values.get('previous') ?? 0))
            throw new Error(`not cumulative: ${line}`)
        last = series
        values.set('previous', name.endsWith('_bucket') ? Number(value) : 0)
    }
    values.delete('previous')
    return values
}

t.test('export', async (t) => {
    const { out } = await pronghorn('export', ...of)
    const values = checkMetrics(out)
    const own = `{pid="${target.pid}",process="analysed",stack="1"}`
    t.ok(values.get(`pronghorn_rx_packets_total${own}`)! > 1000)
    t.ok(values.get(`pronghorn_rx_wait_seconds_count${own}`)! > 10)
    t.ok(values.get(`pronghorn_rx_wait_seconds_sum${own}`)! < 600)
    t.ok(values.has(`pronghorn_sockets_tcp${own}`))

    const server = spawn(process.execPath, [tool, 'export', '--listen', '0', ...of])
    t.teardown(() => server.kill())
    const [line] = await once(server.stderr, 'data')
    const url = `${line}`.trim()
    const fetch = (path: string, headers: Record<string, string> = {}) =>
        new Promise<{ status: number; text: string; type: string }>((resolve, reject) => {
            get(new URL(path, url), { headers }, (response) => {
                let text = ''
                response.on('data', (data) => {
                    text += data
                })
                response.on('end', () =>
                    resolve({
                        status: response.statusCode!,
                        text,
                        type: `${response.headers['content-type']}`,
                    }),
                )
            }).on('error', reject)
        })
    const plain = await fetch('/metrics')
    t.match(plain.type, /^text\/plain; version=0\.0\.4/)
    t.match(plain.text, /^# TYPE pronghorn_rx_packets_total counter$/m)
    const scraped = await fetch('/metrics', {
        accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5',
    })
    t.equal(scraped.status, 200)
    t.match(scraped.type, /^application\/openmetrics-text; version=1\.0\.0/)
    checkMetrics(scraped.text)
    t.equal((await fetch('/other')).status, 404)
    t.equal((await pronghorn('export', '--listen', 'nowhere')).code, 2)

    // Every metric of the dashboard is one that is exported.
    const names = new Set([...values.keys()].map((key) => key.slice(0, key.indexOf('{'))))
    names.add('pronghorn_process_info')
    const file = readFileSync(join(root, 'grafana/pronghorn.json'), 'utf8')
    t.equal((await pronghorn('export', '--dashboard')).out, file)
    const used = new Set([...file.matchAll(/pronghorn_[a-z0-9_]+/g)].map(([name]) => name))
    for (const name of used) t.ok(names.has(name) || names.has(`${name}_bucket`), name)
    // And all that is exported is on it.
    const families = [...names].map((name) => name.replace(/_(bucket|count|sum)$/, '_bucket'))
    for (const name of new Set(families)) t.ok(used.has(name), `${name} is on the dashboard`)
    const { panels } = JSON.parse(file) as { panels: { id: number; targets: { expr: string }[] }[] }
    t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    t.ok(panels.every(({ targets }) => targets.length > 0 && targets.every(({ expr }) => expr !== '')))
})

t.test('config', async (t) => {
    const file = join(folder, 'pronghorn.json')
    const check = async (value: unknown) => {
        writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value))
        const { code, out } = await pronghorn('config', 'check', file)
        return { code, out }
    }
    t.match(await check({ stack: { idle: 'poll' }, port: ['tap,address=10.0.0.1/24'] }), { code: 0 })
    t.match(await check({ stack: { idel: 'poll' } }), { code: 1, out: /stack\.idel: .* did you mean idle/ })
    t.match(await check({ tcp: { retries: 1000 } }), { code: 1, out: /tcp\.retries: must be <= 127/ })
    t.match(await check({ log: { level: 'loud' } }), { code: 1, out: /error, warning, info, debug/ })
    t.match(await check('{'), { code: 1 })
    t.equal((await pronghorn('config', 'check', join(folder, 'none.json'))).code, 1)
    t.match(JSON.parse((await pronghorn('config', 'schema')).out), { $schema: String })
    t.match(
        (await pronghorn('config', 'print', '-c', ...of)).out,
        /runtime\.name +analysed +PRONGHORN_RUNTIME_NAME/,
    )
})

t.test('completion', async (t) => {
    const words = async (...line: string[]) =>
        (await pronghorn('__complete', '--', ...line)).out.trim().split('\n')
    t.same(await words('sh'), ['show'])
    t.ok((await words('show', '')).includes('sockets'))
    t.same(await words('inject', '--direction', ''), ['both', 'in', 'out'])
    t.ok((await words('top', '--pid', '')).includes('analysed'))
    t.ok((await words('capture', '--f')).includes('--files'))
    for (const shell of ['bash', 'zsh', 'fish'])
        t.match((await pronghorn('completion', shell)).out, /pronghorn __complete/)
    if (existsSync('/bin/bash')) {
        const script = `pronghorn() { "${process.execPath}" "${tool}" "$@"; }; ${(await pronghorn('completion', 'bash')).out}
            COMP_WORDS=(pronghorn show sock); COMP_CWORD=2; _pronghorn; echo "\${COMPREPLY[@]}"`
        const bash = spawn('bash', ['-c', script])
        const [data] = await once(bash.stdout, 'data')
        t.equal(`${data}`.trim(), 'sockets')
    }
})

t.test(
    'doctor at a veth whose other end leaves its checksums to a card',
    { skip: process.getuid!() !== 0 && 'only root makes interfaces' },
    async (t) => {
        const [own, peer] = [`pd${process.pid}a`, `pd${process.pid}b`]
        const run = (...args: string[]) => execFileSync(args[0]!, args.slice(1), { stdio: 'pipe' })
        run('ip', 'link', 'add', own, 'type', 'veth', 'peer', 'name', peer)
        t.teardown(() => run('ip', 'link', 'del', own))
        run('ip', 'link', 'set', peer, 'up')
        const asked = async () => {
            const { findings } = JSON.parse((await pronghorn('doctor', '--json', own)).out)
            return new Map(
                findings.map((row: { check: string; level: string; remedy?: string }) => [row.check, row]),
            ) as Map<string, { level: string; remedy?: string }>
        }
        const before = await asked()
        t.match(before.get(own), { level: 'problem', remedy: `ip link set ${own} up` })
        t.match(before.get(`${own}: peer`), {
            level: 'problem',
            remedy: `ethtool -K ${peer} tx off tso off gso off`,
        })
        const fix = (answer: string) =>
            new Promise<string>((resolve) => {
                const child = spawn(process.execPath, [tool, 'doctor', '--fix', own])
                let out = ''
                // Each question is answered when it comes: yes to what concerns these two.
                child.stdout.on('data', (data) => {
                    out += data
                    const question = out.match(/([^?]*)\? \[y\/N\] $/)?.[1]
                    if (question !== undefined)
                        child.stdin.write(`${question.includes(own) ? answer : 'n'}\n`)
                })
                child.on('close', () => resolve(out))
            })
        t.notMatch(await fix('no'), /done/)
        t.equal((await asked()).get(own)!.level, 'problem', 'no is no')
        t.match(await fix('y'), /done/)
        const after = await asked()
        t.equal(after.get(own)!.level, 'ok')
        t.equal(after.get(`${own}: peer`)!.level, 'ok')
    },
)

t.test('demo and bench', async (t) => {
    const names = ['64 B round trip, p50', '64 B round trip, p99', 'stream', 'connect, echo, reset']
    const { results } = await json('demo', '--seconds', '0.1')
    t.same(
        results.map(({ name }: { name: string }) => name),
        names,
    )
    t.ok(results.every(({ value }: { value: number }) => value > 0))
    const { rows } = await json('bench', '--seconds', '0.1')
    t.same(
        rows.map(({ name }: { name: string }) => name),
        names,
    )
    t.ok(
        rows.every(
            (row: { value: number; kernel: number; ratio: number }) => row.kernel > 0 && row.ratio > 0,
        ),
    )
    t.match((await pronghorn('bench', '--seconds', '0.1')).out, /^WHAT +OURS +KERNEL +UNIT +RATIO$/m)
})

t.test('bind refuses what is no card', async (t) => {
    const { code, err } = await pronghorn('bind', 'lo')
    t.equal(code, 2)
    t.match(err, /no PCI device/)
})
