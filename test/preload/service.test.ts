// SPDX-License-Identifier: Apache-2.0
// As a service manager starts a program: an empty environment but for the two lines of a unit, in "/", settings and
// rules in a file.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { shim, skipWithout, start } from './support.js'

const python = '/usr/bin/python3'
skipWithout(python)
const wire = start()
const folder = mkdtempSync(join(tmpdir(), 'pronghorn-service-'))
t.teardown(() => rmSync(folder, { recursive: true }))

const settings = join(folder, 'pronghorn.json')
const one = { device: 'af_packet', iface: wire.device, address: [`${wire.our4}/24`, `${wire.our6}/64`] }
writeFileSync(
    settings,
    JSON.stringify({
        port: [one],
        memory: { hugepages: 'off' },
        log: { level: 'debug' },
        route: ['kernel,port=9101'],
    }),
)
const code = `import select, socket
all = [socket.create_server(("", p)) for p in (9100, 9101)]
print("begins", flush=True)
while True:
    for s in select.select(all, [], [])[0]:
        c, who = s.accept()
        c.sendall(c.recv(100) + b" from " + who[0].encode())
        c.close()`
const ask = (p: number) => `import socket
s = socket.create_connection(("${wire.our4}", ${p}), 3)
s.sendall(b"hello"); print(s.recv(100).decode())`

t.test('a unit with two lines of Environment=', async (t) => {
    const unit = [`LD_PRELOAD=${shim}`, `PRONGHORN_CONFIG=${settings}`]
    const service = spawn('env', ['-i', ...unit, python, '-c', code], {
        cwd: '/',
        stdio: ['ignore', 'pipe', 'pipe'],
    })
    t.teardown(() => service.kill('SIGKILL'))
    let journal = ''
    service.stderr.on('data', (data) => {
        journal += data
    })
    for await (const line of createInterface(service.stdout)) if (line === 'begins') break
    const answer = await wire.run(python, ['-c', ask(9100)], { timeoutMs: 30_000 })
    t.match(answer, { status: 0, stdout: `hello from ${wire.peer4}\n` }, `over our port: ${answer.stderr}`)
    const refused = await wire.run(python, ['-c', ask(9101)], { timeoutMs: 30_000 })
    t.match(refused.stderr, /ConnectionRefusedError/, "the file's rule leaves this one to the kernel")
    t.match(journal, /: both \(default: all addresses/)
    t.match(journal, /: the kernel's \(rule: kernel,port=9101\)/)
})
