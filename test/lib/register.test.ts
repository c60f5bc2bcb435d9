// SPDX-License-Identifier: Apache-2.0
// node --import pronghorn/register: a program that knows nothing of us runs on our sockets.

import { spawnSync } from 'node:child_process'
import t from 'tap'

const root = new URL('../..', import.meta.url).pathname

for (const [how, args] of [
    ['--import', ['--import', `${root}dist/register.js`]],
    ['--require', ['--require', `${root}dist/register.cjs`]],
] as const) {
    const { status, stdout, stderr } = spawnSync(
        'env',
        ['-u', 'NODE_OPTIONS', process.execPath, ...args, `${root}test/lib/register/program.mjs`],
        { encoding: 'utf8', timeout: 60_000, env: { ...process.env, PRONGHORN_MEMORY_HUGEPAGES: 'off' } },
    )
    t.equal(status, 0, `${how}: it ends by itself`, { text: stderr })
    const seen = status === 0 ? JSON.parse(stdout) : {}
    t.match(seen, { body: 'hello /x', same: true, instance: true, dgram: true }, 'it works as it always did')
    t.equal(seen.kernel, false, 'the kernel knows nothing of it')
    t.match(seen, { fetched: 'hello /fetch', streamed: 'h2 /y' }, 'fetch and http2 came with it')
    t.match(seen.webSocket, /^(ours|none here)$/, 'and WebSocket, where Node has one')
    t.equal(seen.kernelInChild, true, 'what it starts stays with the kernel')
    t.match(
        stderr,
        /net, dgram, http, https, http2, tls, fetch.* of this program are Pronghorn's/,
        'we say so',
    )
    t.match(stderr, /process \d+ stays the kernel's: process \d+, which started it, has the ports/)
}
