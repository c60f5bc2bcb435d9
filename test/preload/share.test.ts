// SPDX-License-Identifier: Apache-2.0
// Of several processes with the same settings one has the addresses; the others are told which.
import { once } from 'node:events'
import t from 'tap'
import { linesOf, onWire, runShimmed, start, startShimmed } from './support.js'

const python = '/usr/bin/python3'
const wire = start(python)
const listen = (port: number) => `
import socket
s = socket.socket(); s.bind(("0.0.0.0", ${port})); s.listen(); s.setblocking(False)
try: s.accept()
except BlockingIOError: pass
print("ready", flush=True)`
const env = { ...onWire(wire), PRONGHORN_LOG_LEVEL: 'info' }

t.test('who comes later is told who has them', async (t) => {
    const holder = startShimmed(python, ['-c', `${listen(7000)}; input()`], env, {
        stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.equal((await linesOf(holder).next()).value, 'ready')
    const has = (who: string) => new RegExp(`${who} has the addresses of our ports; here the kernel serves`)
    // Of another parent they wait for its end for a while, and ask again and again.
    const other = ['-c', `${python} -c '${listen(7001)}'; true`]
    for (const name of ['one', 'two', 'three'])
        t.match(await runShimmed('sh', other, env), { stderr: has(`process ${holder.pid}`) }, name)
    const apart = ['--pid', '--fork', python, '-c', listen(7001)]
    t.match(await runShimmed('unshare', apart, env), { stderr: has('another process') }, 'in another world')
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const next = await runShimmed('sh', other, env)
    t.match(next.stdout, 'ready')
    t.notMatch(next.stderr, 'has the addresses', 'its successor')
})
