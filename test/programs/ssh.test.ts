// SPDX-License-Identifier: Apache-2.0
// sshd serves each connection in a child, so its listener is the kernel's; ssh is a client like any other.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { end, run } from '../../tools/net/commands.js'
import { build, runShimmed, startShimmed } from '../preload/support.js'
import { childrenOf, kill, scratch, serve, start, until } from './support.js'

const SSHD = '/usr/sbin/sshd' // it starts itself again by this name
const wire = start(SSHD, 'ssh', 'ssh-keygen')
const folder = scratch()
chmodSync(folder, 0o755)
mkdirSync('/run/sshd', { recursive: true, mode: 0o755 }) // where sshd locks its unprivileged half in
for (const name of ['host', 'user'])
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
writeFileSync(join(folder, 'authorized'), readFileSync(join(folder, 'user.pub')), { mode: 0o600 })

function sshd(port: string): string[] {
    const path = join(folder, `sshd-${port}`)
    const lines = [
        `Port ${port}`,
        `HostKey ${folder}/host`,
        `AuthorizedKeysFile ${folder}/authorized`,
        `PidFile ${folder}/pid-${port}`,
        'PermitRootLogin yes',
        'StrictModes no',
        'UsePAM no',
    ]
    writeFileSync(path, `${lines.join('\n')}\n`)
    return ['-D', '-e', '-f', path]
}
const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
]
const ssh = (host: string, port: string, ...command: string[]) => [
    ...['-F', 'none', '-i', join(folder, 'user'), '-p', port, ...options.flatMap((one) => ['-o', one])],
    ...[`root@${host}`, ...command],
]
const text = randomBytes(600_000).toString('base64')
const through = { input: text, timeoutMs: 30_000 }

t.test("sshd: its connections are the kernel's, and we say so", async (t) => {
    const probe = async () => (await run('ssh', ssh('127.0.0.1', '2201', 'true'))).status === 0
    const begin = () => serve(wire, SSHD, sshd('2201'), probe)
    let server = await begin()
    const tool = [`PRONGHORN_BUILD_FOLDER=${build}`, process.execPath, 'dist/cli.js']
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const about = await run(
        'env',
        ['-u', 'NODE_OPTIONS', ...tool, 'explain', `${server.child.pid}`, '--json'],
        {
            cwd: root,
        },
    )
    const { sockets } = JSON.parse(about.stdout)
    const listener = sockets.find(({ address }: { address: string }) => address === '0.0.0.0:2201')
    t.match(listener, { owner: 'kernel', reason: /sshd serves connections in children/ }, about.stderr)
    const all = await Promise.all([1, 2, 3].map(() => run('ssh', ssh('127.0.0.1', '2201', 'cat'), through)))
    for (const one of all) t.ok(one.status === 0 && one.stdout === text, 'there and back')
    const held = startShimmed(
        'ssh',
        ssh('127.0.0.1', '2201', 'cat'),
        {},
        { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    held.stdin!.write('x')
    t.ok(await until(() => held.stdout!.readableLength > 0), 'a session')
    await kill({ child: held })
    t.ok(await probe(), 'its client was killed')
    await kill(server)
    server = await begin()
    t.ok(await probe(), 'it was killed, and started again')
    t.notMatch(server.said(), /pronghorn: (error|warning)/)
    await kill(server)
})

t.test('ssh is a client of ours', async (t) => {
    const theirs = wire.spawn(SSHD, sshd('2202'), { stdio: 'ignore' })
    const ours = { PRONGHORN_PORT: wire.port }
    const ask = (...command: string[]) =>
        runShimmed('ssh', ssh(wire.peer4, '2202', ...command), ours, through)
    t.ok(await until(async () => (await ask('true')).status === 0), 'it serves')
    t.match((await ask('echo $SSH_CLIENT')).stdout, new RegExp(`^${wire.our4.replaceAll('.', '[.]')} `))
    const back = await ask('cat')
    t.ok(back.status === 0 && back.stdout === text, `${back.stdout.length} bytes came back: ${back.stderr}`)
    const held = startShimmed('ssh', ssh(wire.peer4, '2202', 'cat'), ours, {
        stdio: ['pipe', 'pipe', 'inherit'],
    })
    held.stdin!.write('x')
    t.ok(await until(() => held.stdout!.readableLength > 0), 'a session')
    await kill({ child: held })
    t.ok((await ask('cat')).stdout === text, 'it was killed, and comes again')
    const waits = runShimmed('ssh', ssh(wire.peer4, '2202', 'sleep 60'), ours)
    t.ok(await until(() => childrenOf(theirs.pid).length > 0), 'a session of the server')
    // (Those of the killed before are still there: nobody told the server.)
    t.ok(
        await until(async () => {
            for (const pid of childrenOf(theirs.pid)) process.kill(pid, 'SIGKILL')
            return Promise.race([waits.then(() => true), sleep(200, false)])
        }),
    )
    t.match(await waits, { status: 255 }, 'is killed: ssh ends')
    await end(theirs)
})
