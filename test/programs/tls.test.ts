// SPDX-License-Identifier: Apache-2.0
// openssl's s_server and s_client, each on either end.
import { type StdioOptions, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { end } from '../../tools/net/commands.js'
import { runShimmed, startShimmed } from '../preload/support.js'
import { kill, scratch, serve, start, until } from './support.js'

const wire = start('openssl')
const folder = scratch()
const [key, cert] = [join(folder, 'key'), join(folder, 'cert')]
const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=test']
spawnSync('openssl', [...request, '-keyout', key, '-out', cert])
const server = (port: string) => ['s_server', '-accept', port, '-key', key, '-cert', cert, '-quiet', '-WWW']
const client = (host: string, port: string) => [
    ...['s_client', '-connect', `${host}:${port}`, '-CAfile', cert, '-verify_return_error', '-quiet'],
    '-ign_eof',
]
/* Text: -WWW serves files below the folder it runs in. */
const text = randomBytes(600_000).toString('base64')
writeFileSync(join(folder, 'text'), text)
/* More than buffers on the way hold. */
writeFileSync(join(folder, 'large'), Buffer.alloc(50_000_000, 'x'))
const input = 'GET /text HTTP/1.0\r\n\r\n'
const options = { input, timeoutMs: 30_000 }
const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)

t.test('we serve', async (t) => {
    const ask = (more: string[] = []) => wire.run('openssl', [...client(wire.our4, '4433'), ...more], options)
    const probe = async () => (await ask()).status === 0
    const begin = () => serve(wire, 'openssl', server('4433'), probe, {}, { cwd: folder })
    let served = await begin()
    t.equal(body((await ask()).stdout), text)
    t.equal(body((await ask(['-tls1_2'])).stdout), text, 'TLS 1.2')
    const six = await wire.run('openssl', client(`[${wire.our6}]`, '4433'), options)
    t.equal(body(six.stdout), text, 'IPv6')
    await kill(served)
    served = await begin()
    t.equal(body((await ask()).stdout), text, 'killed, and started again')
    // It serves one at a time: the next is served when the dead one's connection has ended.
    for (const when of ['before it asks', 'as it reads']) {
        const args = client(wire.our4, '4433').filter((one) => one !== '-quiet' || when === 'as it reads')
        const held = wire.spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] })
        if (when === 'as it reads') held.stdin!.write(input.replace('text', 'large'))
        await once(held.stdout!, 'readable') // and reads no further
        await kill({ child: held })
        t.equal(body((await ask()).stdout), text, `its client is killed ${when}`)
    }
    await kill(served)
})

t.test('we ask', async (t) => {
    const theirs = wire.spawn('openssl', server('4434'), { stdio: 'ignore', cwd: folder })
    const ask = (host: string) =>
        runShimmed('openssl', client(host, '4434'), { PRONGHORN_PORT: wire.port }, options)
    t.ok(await until(async () => (await ask(wire.peer4)).status === 0), 'it serves')
    t.equal(body((await ask(wire.peer4)).stdout), text)
    t.equal(body((await ask(`[${wire.peer6}]`)).stdout), text, 'IPv6')
    // Its server, which serves one at a time, learns it from the next stack on the address.
    const stdio: StdioOptions = ['pipe', 'pipe', 'ignore']
    const held = startShimmed('openssl', client(wire.peer4, '4434'), { PRONGHORN_PORT: wire.port }, { stdio })
    held.stdin!.write(input.replace('text', 'large'))
    await once(held.stdout!, 'readable')
    await kill({ child: held })
    const again = async () => body((await ask(wire.peer4)).stdout) === text
    t.ok(await until(again, 60_000), 'killed as it reads, and started again')
    await end(theirs)
})

t.test('what is sent stays intact both ways', async (t) => {
    const more = ['-naccept', '1']
    const args = ['s_server', '-accept', '4435', '-key', key, '-cert', cert, '-quiet', ...more]
    const served = await serve(wire, 'openssl', args, () => true, {}, { stdio: ['pipe', 'pipe', 'pipe'] })
    // (Its input stays open: at its end s_client would leave without reading all that it was sent.)
    const sender = wire.spawn('openssl', client(wire.our4, '4435'), { stdio: ['pipe', 'ignore', 'ignore'] })
    sender.stdin?.write(text)
    t.ok(await until(() => served.said().length >= text.length), 'all arrived')
    t.ok(served.said() === text)
    await end(sender)
    await kill(served)
})
