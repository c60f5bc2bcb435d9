// SPDX-License-Identifier: Apache-2.0
/* The live screen, in a terminal of 80 columns. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Choice, draw, sparkline } from '../../lib/cli/top-screen.js'
import { readSegment } from '../../lib/stats/index.js'
import { pronghorn, Target, tool } from './support.js'

const target = await Target.start({ PRONGHORN_RUNTIME_NAME: 'watched' })
t.teardown(() => target.end('SIGKILL'))
await target.tell('echo 100000')
const python = fileURLToPath(new URL('terminal.py', import.meta.url))

/** The screens that were drawn, as text, and how it ended. */
function screens(columns: number, rows: number, keys: (string | [columns: number, rows: number])[]) {
    return new Promise<{ screens: string[][]; raw: string; code: number }>((resolve) => {
        const args = [python, `${columns}`, `${rows}`, process.execPath, tool, 'top', '-d', '0.2']
        const child = execFile('python3', [...args, '--pid', `${target.pid}`], (error, raw) => {
            const drawn = raw.split('\u001b[H').slice(1)
            resolve({
                raw,
                code: error ? Number(error.code) : 0,
                screens: drawn.map((screen) =>
                    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin so
                    screen.replace(/\u001b\[[0-9;?]*[a-zA-Z]/g, '').split(/\r+\n/),
                ),
            })
        })
        child.stdin!.end(keys.map((key) => `${JSON.stringify(key)}\n`).join(''))
    })
}

t.test('80 columns: stacks, connections, sorting, details, the end', async (t) => {
    const { screens: drawn, raw, code } = await screens(80, 24, ['s', '\u001b[B', '\r', 'q'])
    t.equal(code, 0)
    t.ok(drawn.length > 3)
    for (const screen of drawn) {
        t.ok(screen.length <= 24)
        t.ok(screen.every((line) => line.length <= 80))
    }
    const first = drawn[0]!.join('\n')
    t.match(first, /^watched \(\d+\) up \S+, \d+ sockets$/m)
    t.match(first, /^port to read p99/m)
    t.match(first, /^STACK {2}BUSY/m)
    t.match(first, /^PEER +PORT +STATE +RX\/s +TX\/s +QUEUE +RTT +RETR$/m)
    t.match(
        first,
        new RegExp(`^${target.hello.host}:${target.hello.port} +${target.hello.own} +established`, 'm'),
    )
    t.match(first, /sort: rate/)
    t.ok(drawn.some((screen) => /sort: rx/.test(screen.at(-1)!)))
    t.match(drawn.at(-1)!.join('\n'), /cwnd_bytes \d+/, 'details')
    t.ok(
        raw.startsWith('\u001b[?1049h') && raw.trimEnd().endsWith('\u001b[?1049l'),
        'the terminal is as before',
    )
})

t.test('a tiny one', async (t) => {
    const { screens: drawn, code } = await screens(40, 8, ['q'])
    t.equal(code, 0)
    for (const screen of drawn) t.ok(screen.length <= 8 && screen.every((line) => line.length <= 40))
})

t.test('60 columns of 20 lines, and then larger and smaller', async (t) => {
    const fits = (screen: string[], columns: number, rows: number) =>
        screen.length <= rows && screen.every((line) => line.length <= columns)
    const { screens: drawn, code } = await screens(60, 20, ['s', [120, 40], 'p', 's', [50, 12], ' ', 'q'])
    t.equal(code, 0)
    t.ok(fits(drawn[0]!, 60, 20))
    t.match(drawn[0]!.join('\n'), /^STACK {2}BUSY/m)
    t.ok(
        drawn.some((screen) => screen.length === 40 && screen.at(-1)!.length > 60),
        'a larger one is filled',
    )
    t.ok(drawn.some((screen) => /PAUSED/.test(screen[0]!)))
    t.ok(fits(drawn.at(-1)!, 50, 12), 'a smaller one is not left')
})

t.test('many stacks, thousands of sockets, long addresses', (t) => {
    const choice: Choice = { sort: 'rate', line: 1, detail: false, paused: false }
    const address = '2001:db8:1234:5678:9abc:def0:1234:5678'
    const moment = (count: number, at: number) => {
        const stats = readSegment(target.pid)
        const own = stats.sockets.find(({ state }) => state === 'established')!
        stats.stacks = Array.from({ length: count }, (_, index) => {
            const { counters, ...stack } = stats.stacks[index % 2]!
            return { ...stack, index, counters: { ...counters, rx_packets: 13e6 * at, tcp_retransmits: at } }
        })
        stats.sockets = Array.from({ length: 3000 }, (_, index) => ({
            ...own,
            id: 1000 + index,
            state: index % 2 ? 'unconnected' : 'established',
            local_address: address,
            peer_address: index % 3 ? address : '192.168.202.255',
            peer_port: 60000 + index,
            rx_bytes: (255e6 + index) * at,
            tx_bytes: (255e6 + index) * at,
            recv_queue: 255e6,
            rtt_us: 123_400,
            retransmits: 71_600,
        }))
        return { stats, at: at * 1000 }
    }
    const screen = (stacks: number, width: number, height: number) =>
        draw(
            { before: moment(stacks, 1), after: moment(stacks, 2), history: [1e6] },
            choice,
            width,
            height,
        ).split('\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin so
    const plain = (lines: string[]) => lines.map((line) => line.replace(/\u001b\[[0-9;]*m/g, ''))

    for (const width of [80, 100, 60, 40]) {
        const lines = screen(8, width, 24)
        t.equal(lines.length, 24)
        t.ok(plain(lines).every((line) => line.length <= width))
        t.equal(lines.filter((line) => line.startsWith('\u001b[7m')).length, 1, 'the cursor is seen')
        const [head, ...rows] = plain(lines).slice(plain(lines).findIndex((line) => line.startsWith('PEER')))
        if (width >= 80) {
            t.match(head, /^PEER +PORT +STATE +RX\/s +TX\/s +QUEUE +RTT +RETR$/)
            for (const row of rows.slice(0, -1)) t.match(row, /:6\d{4} .*MB +255MB +\S+ms +71\.6k$/)
        }
        for (const row of rows.slice(0, -1)) t.notMatch(row, /\.$/, 'no half number')
    }
    t.equal(plain(screen(8, 80, 24)).filter((line) => /^ {4}\d {2}[#.]/.test(line)).length, 8)
    const many = plain(screen(64, 80, 24))
    t.ok(many.includes('       57 more that are less busy'))
    t.ok(many.filter((line) => /71\.6k$/.test(line)).length >= 8, 'connections have their half')
    choice.detail = true
    const shown = plain(screen(8, 80, 24)).join('\n')
    t.match(shown, new RegExp(`local_address ${address}( |$)`, 'm'))
    t.match(shown, /peer_address \S+( |$)/m)
    t.end()
})

t.test('no terminal', async (t) => {
    const { code, err } = await pronghorn('top', '--pid', `${target.pid}`)
    t.equal(code, 2)
    t.match(err, /needs a terminal/)
})

t.test('sparkline', async (t) => {
    t.equal(sparkline([0, 1, 2, 4, 8], 10), '▁▂▃▅█')
    t.equal(sparkline([1, 2, 3], 2).length, 2)
    t.equal(sparkline([], 5), '')
})
