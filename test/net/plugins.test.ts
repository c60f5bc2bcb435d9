// SPDX-License-Identifier: Apache-2.0
// Drivers that are plugins: what is said when a library, a capability or the card is missing.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { run } from '../../tools/net/commands.js'
import { makeWire } from '../../tools/net/wire.js'
import { program, skipWithoutEnds } from './support/ends.js'

skipWithoutEnds()
const libraries = dirname(program('../libpronghorn.so'))
const has = (plugin: string) => existsSync(join(libraries, `libpronghorn-${plugin}.so`))
const skipOf = (plugin: string) => (has(plugin) ? undefined : `this build has no ${plugin}`)
const folder = mkdtempSync(join(tmpdir(), 'pronghorn-plugins-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

/* What a start that must fail says. */
async function failureOf(port: string, before: string[] = [], env: NodeJS.ProcessEnv = {}) {
    const args = [...before, program('end.pronghorn'), 'serve', '::', '7300']
    const { status, signal, stderr } = await run('env', args, {
        env: { ...process.env, PRONGHORN_PORT: port, PRONGHORN_LOG_LEVEL: 'warning', ...env },
        timeoutMs: 20_000,
    })
    t.ok(status !== 0 && signal === null, 'it does not start, and ends by itself', { status, signal })
    return stderr
}

/* libpronghorn.so in a folder of its own, with a plugin that needs `library`, which nobody has. */
function withoutLibrary(plugin: string, library: string) {
    for (const name of ['libpronghorn.so', 'libpronghorn-tls.so']) {
        copyFileSync(join(libraries, name), join(folder, name))
    }
    const text = readFileSync(join(libraries, `libpronghorn-${plugin}.so`), 'latin1')
    const absent = library.replace(/\d+$/, (digits) => '9'.repeat(digits.length))
    writeFileSync(join(folder, `libpronghorn-${plugin}.so`), text.replaceAll(library, absent), 'latin1')
    return { absent, env: { LD_LIBRARY_PATH: folder } }
}

const wire = makeWire({ driver: 'af_xdp', queues: 2 })
t.teardown(() => wire.close())

for (const library of ['libxdp.so.1', 'libbpf.so.1']) {
    t.test(`without ${library}`, { skip: skipOf('af_xdp') }, async (t) => {
        const { absent, env } = withoutLibrary('af_xdp', library)
        const text = await failureOf(wire.port, [], env)
        t.match(text, `${absent}: cannot open shared object file`)
        t.match(text, 'apt-get install libxdp1 libbpf1')
    })
}

t.test('a build without the driver', { skip: skipOf('af_xdp') }, async (t) => {
    withoutLibrary('af_xdp', 'libxdp.so.1')
    rmSync(join(folder, 'libpronghorn-af_xdp.so'))
    const text = await failureOf(wire.port, [], { LD_LIBRARY_PATH: folder })
    t.match(text, /libpronghorn-af_xdp\.so, is not there.*build again, or use af_packet/)
})

for (const capability of ['net_raw', 'net_admin', 'sys_admin', 'ipc_lock']) {
    t.test(`af_xdp without cap_${capability}`, { skip: skipOf('af_xdp') }, async (t) => {
        const drop = ['setpriv', '--bounding-set', `-${capability}`, '--inh-caps', '-all']
        const limited = ['prlimit', '--memlock=65536:65536', ...drop]
        const text = await failureOf(wire.port, limited)
        t.match(text, /no permission/)
        t.match(text, `cap_${capability}`)
        t.match(text, 'setcap')
    })
}

t.test('more queues than the interface has', { skip: skipOf('af_xdp') }, async (t) => {
    const text = await failureOf(wire.port, [], { PRONGHORN_STACK_COUNT: '3' })
    t.match(text, /3 queues .* the interface has 2.*ethtool -L/)
})

/*
 * A card that only sysfs knows, in a mount namespace of its own: the driver is loaded, asked for it,
 * and looks for it among the verbs devices.
 */
const card = `
    set -e
    mount -t tmpfs none "$1"
    card="$1/0000:ff:1f.7"
    mkdir -p "$card" "$1/drivers/mlx5_core"
    echo 0x15b3 > "$card/vendor"; echo 0x1017 > "$card/device"
    echo 0x15b3 > "$card/subsystem_vendor"; echo 0x0001 > "$card/subsystem_device"
    echo 0x020000 > "$card/class"; echo 0 > "$card/max_vfs"; echo 0 > "$card/numa_node"
    for i in 1 2 3 4 5 6 7; do echo 0x0 0x0 0x0; done > "$card/resource"
    ln -s "$1/drivers/mlx5_core" "$card/driver"
    mount --bind "$1" /sys/bus/pci/devices
    shift
    exec "$@"`
const withCard = (at: string) => ['unshare', '-m', 'sh', '-c', card, 'sh', at]
const skipCard = skipOf('mlx5') ?? (existsSync('/sys/bus/pci/devices') ? undefined : 'no PCI bus here')
const address = '0000:ff:1f.7,address=10.0.0.1/24'

t.test('mlx5: a card that does not answer', { skip: skipCard }, async (t) => {
    const text = await failureOf(address, withCard(mkdtempSync(join(folder, 'pci-'))))
    t.match(text, /^port 0000:ff:1f\.7: /)
    t.match(text, /mlx5_common: Verbs device not found: 0000:ff:1f\.7/, 'its driver was asked')
})

t.test('mlx5: a library is missing', { skip: skipCard }, async (t) => {
    const { absent, env } = withoutLibrary('mlx5', 'libibverbs.so.1')
    const text = await failureOf(address, withCard(mkdtempSync(join(folder, 'pci-'))), env)
    t.match(text, `${absent}: cannot open shared object file`)
    t.match(text, 'apt-get install libibverbs1 ibverbs-providers')
})

t.test('mlx5: no card', async (t) => {
    t.match(await failureOf(address), /0000:ff:1f\.7: there is no card at this PCI address.*lspci/)
})
