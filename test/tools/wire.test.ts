// SPDX-License-Identifier: Apache-2.0
// The wire that the integration tests stand on: made, usable, swept, gone.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import t from 'tap'
import { makeWire, sweepWires, whyNoWires } from '../../tools/net/wire.js'

const skip = whyNoWires()

t.test('a wire', { skip }, async (t) => {
    const wire = makeWire({ mtu: 1400 })
    t.ok(existsSync(`/sys/class/net/${wire.device}`), 'our end exists')
    t.match(wire.port, /^af_packet,iface=phw.*,address=10\.86\..*,mtu=1400$/)
    const addresses = await wire.run('ip', ['addr', 'show', 'dev', wire.peerDevice])
    t.match(addresses.stdout, wire.peer4)
    t.match(addresses.stdout, wire.peer6)
    t.match(addresses.stdout, 'mtu 1400')
    const self = await wire.run('ping', ['-c1', '-W2', wire.peer4])
    t.equal(self.status, 0, 'programs run on the other side')
    const features = await wire.run('ethtool', ['-k', wire.peerDevice])
    t.match(features.stdout, /tx-checksumming: off/)
    const child = wire.spawn('sleep', ['60'])
    wire.close()
    await new Promise((resolve) => child.once('exit', resolve))
    t.notOk(existsSync(`/run/netns/${wire.namespace}`), 'the namespace is gone')
    t.notOk(existsSync(`/sys/class/net/${wire.device}`), 'the device is gone')
    wire.close()
})

t.test('what a killed process left is swept', { skip }, async (t) => {
    const code = `import { makeWire } from './tools/net/wire.ts'
        console.log(makeWire().namespace)
        process.kill(process.pid, 'SIGKILL')`
    const { stdout, signal } = spawnSync('node_modules/.bin/tsx', ['--input-type=module', '-e', code], {
        encoding: 'utf8',
    })
    const name = stdout.trim()
    t.ok(name.startsWith('phw'), `it made ${name} and died (${signal})`)
    sweepWires()
    t.notOk(existsSync(`/run/netns/${name}`))
    t.notOk(existsSync(`/sys/class/net/${name.replace('.', '_')}a`))
})

t.test('an uncaught error removes it too', { skip }, async (t) => {
    const code = `import { makeWire } from './tools/net/wire.ts'
        console.log(makeWire().namespace)
        throw new Error('on purpose')`
    const { stdout, status } = spawnSync('node_modules/.bin/tsx', ['--input-type=module', '-e', code], {
        encoding: 'utf8',
    })
    t.not(status, 0)
    t.notOk(existsSync(`/run/netns/${stdout.trim()}`))
})
