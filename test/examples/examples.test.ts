// SPDX-License-Identifier: Apache-2.0
// Each example that ends by itself, by its one command, with less to do: what it prints.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))

const EXAMPLES: [name: string, args: string[], printed: RegExp][] = [
    ['echo-client', [], /10000 round trips of 64 bytes.*\nhalf of them within [\d.]+ us/],
    ['feed-publisher', ['100', '50'], /50 ticks to 100 subscribers: \d+ messages received, \d+ missed/],
    ['http-client', ['200'], /200: Hello 10\.0\.0\.1,[\s\S]*200 requests over 10 connections, 0 failed/],
    [
        'market-data',
        ['20000'],
        /feed A: \d+ received, \d+ missing in \d+ gaps[\s\S]*first copies: 20000 of 20000, 0 missed on both/,
    ],
    ['order-gateway', ['2000'], /2000 ticks, 0 gaps; 200 orders sent, 200 taken[\s\S]*p50 [\d.]+ us, p99/],
    ['redis-client', [], /hello from our own TCP[\s\S]*the counter is 10000[\s\S]*heard on the channel: 42/],
    ['websocket-echo', ['100'], /100 messages there and back over TLS, 0 wrong/],
    ['worker-per-core', ['3', '50'], /port 7000: 400 messages\n.*7001: 400 messages\n.*7002: 400 messages/],
]
/** Parts of others, and servers that stay up: servers.test.ts runs the echoes, test/net/life.test.ts http-server. */
const OTHERS = ['echo-server', 'http-server', 'pattern', 'redis-stand-in', 'udp-echo']

for (const [name, args, printed] of EXAMPLES) {
    const command = ['-u', 'NODE_OPTIONS', process.execPath, '--import', 'tsx', `examples/${name}.ts`]
    const { status, stdout, stderr } = spawnSync('env', [...command, ...args], {
        cwd: root,
        encoding: 'utf8',
        timeout: 240_000,
        env: { ...process.env, PRONGHORN_LOG_LEVEL: 'warning', PRONGHORN_MEMORY_HUGEPAGES: 'off' },
    })
    t.equal(status, 0, `${name} ends by itself`, { text: stderr })
    t.match(stdout, printed, `${name} prints what it shows`)
}
const all = readdirSync(`${root}/examples`).filter((name) => name.endsWith('.ts'))
t.strictSame(
    all.map((name) => name.slice(0, -3)).sort(),
    [...EXAMPLES.map(([name]) => name), ...OTHERS].sort(),
    'each example is here',
)
