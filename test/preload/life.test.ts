// SPDX-License-Identifier: Apache-2.0
// The shim in programs that have no use for it, with wrong settings, and where the stacks cannot start.
import t from 'tap'
import { build, calls, LOOPBACK_RULES, runShimmed, shim, skipWithout } from './support.js'

skipWithout(shim, calls)

t.test('a program without sockets never loads the core', async (t) => {
    const env = { PRONGHORN_ROUTE: LOOPBACK_RULES }
    const { status, stdout, stderr } = await runShimmed('cat', ['/proc/self/maps'], env)
    t.match({ status, stderr }, { status: 0, stderr: '' })
    t.match(stdout, 'libpronghorn-preload.so')
    t.notMatch(stdout, 'libpronghorn.so')
})

t.test('a program that only asks the kernel never starts a stack', async (t) => {
    const code = `import socket
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
c = socket.create_connection(s.getsockname())
a, _ = s.accept(); c.send(b'x'); assert a.recv(1) == b'x'
print('threads', len(__import__('os').listdir('/proc/self/task')))`
    const result = await runShimmed('/usr/bin/python3', ['-c', code])
    t.match(result, { status: 0, stderr: '', stdout: 'threads 1\n' })
})

t.test('several threads make the first sockets', async (t) => {
    const claimed = { PRONGHORN_MEMORY_HUGEPAGES: 'off', PRONGHORN_ROUTE: LOOPBACK_RULES }
    for (let i = 0; i < 5; i++) {
        const result = await runShimmed(`${build}net/first`, [], claimed)
        t.match(result, { status: 0, stdout: '', stderr: '' }, 'all are ours')
    }
    t.match(await runShimmed(`${build}net/first`, []), { status: 0, stdout: '', stderr: '' }, 'or none')
})

t.test('shell scripts, pipes and children', async (t) => {
    const result = await runShimmed('sh', ['-c', 'echo a | cat | (read x; echo "$x b"); exit 5'])
    t.match(result, { status: 5, stdout: 'a b\n', stderr: '' })
})

for (const [name, env, message] of [
    ['a misspelt rule', { PRONGHORN_ROUTE: 'mine,port=80' }, /begin it with ours, kernel or both/],
    ['a wrong condition', { PRONGHORN_ROUTE: 'ours,adress=1.2.3.4' }, /unknown condition "adress"/],
    ['a wrong network', { PRONGHORN_ROUTE: 'ours,address=10.0.0.0/40' }, /is wrong at address/],
    ['an unknown setting', { PRONGHORN_STACK_CORE: '1' }, /did you mean PRONGHORN_STACK_CORES/],
] as const) {
    t.test(`${name}: a message, and the kernel serves`, async (t) => {
        const { status, stderr, stdout } = await runShimmed(calls, ['echo'], { ...env })
        // calls.c expects nothing of the rules here.
        t.match(stderr, message)
        t.match(stderr, /^pronghorn: error: nothing is accelerated: /)
        t.match({ status, stdout }, { status: 0, stdout: '' })
    })
}

t.test('the stacks cannot start', async (t) => {
    const env = {
        PRONGHORN_ROUTE: LOOPBACK_RULES,
        PRONGHORN_PORT: 'af_packet,iface=no-such-iface,address=10.1.2.3/24',
    }
    const kernel = await runShimmed(calls, ['echo'], env)
    t.match(kernel, { status: 0, stdout: '' }, 'the kernel serves')
    t.match(kernel.stderr, /no-such-iface/, 'after a message')
    t.equal(kernel.stderr.match(/^pronghorn: error/gm)?.length, 1, 'once')
    const refuse = await runShimmed(calls, ['echo'], { ...env, PRONGHORN_SHIM_WITHOUT_CORE: 'refuse' })
    t.match(refuse, { status: 1, stdout: /No such device/ }, 'or calls fail, if so set')
})
