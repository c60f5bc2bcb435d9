// SPDX-License-Identifier: Apache-2.0
/* Giving a card away, in a copy of the kernel's folders; of this machine's own devices only what is said
 * about them (--dry-run): a wrong write would cut it off. */
import { spawnSync } from 'node:child_process'
import {
    chmodSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    readFileSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import t from 'tap'
import { pronghorn, root } from './support.js'

const CARD = '0000:3b:00.0'
const DISK = '0000:00:02.0'

/** A card with an interface behind virtio, a disk, and the drivers named. */
function machine(folder: string, interface_: string, drivers: string[], bound = 'virtio-pci') {
    const pci = join(folder, 'bus/pci')
    for (const [address, kind] of [
        [CARD, '0x020000'],
        [DISK, '0x018000'],
    ] as const) {
        const device = join(folder, 'devices/pci0000:00', address)
        mkdirSync(device, { recursive: true })
        mkdirSync(join(pci, 'devices'), { recursive: true })
        writeFileSync(join(device, 'class'), `${kind}\n`)
        writeFileSync(join(device, 'driver_override'), '(null)\n')
        symlinkSync(device, join(pci, 'devices', address))
    }
    for (const driver of new Set([...drivers, bound])) {
        mkdirSync(join(pci, 'drivers', driver), { recursive: true })
        writeFileSync(join(pci, 'drivers', driver, 'unbind'), '')
    }
    for (const address of [CARD, DISK])
        symlinkSync(join(pci, 'drivers', bound), join(pci, 'devices', address, 'driver'))
    const net = join(folder, 'devices/pci0000:00', CARD, 'virtio2/net', interface_)
    mkdirSync(net, { recursive: true })
    symlinkSync('../..', join(net, 'device'))
    mkdirSync(join(folder, 'class/net'), { recursive: true })
    symlinkSync(net, join(folder, 'class/net', interface_))
    writeFileSync(join(pci, 'drivers_probe'), '')
    const read = (path: string) => readFileSync(join(pci, path), 'utf8')
    return {
        run: (...words: string[]) => pronghorn(...words, '--sys', folder),
        written: () => ({
            override: read(`devices/${CARD}/driver_override`).trim(),
            unbind: read(`drivers/${bound}/unbind`),
            probe: read('drivers_probe'),
        }),
    }
}
const UNTOUCHED = { override: '(null)', unbind: '', probe: '' }

t.test('what is no card, or not there', async (t) => {
    const { run, written } = machine(t.testdir({}), 'none0', ['vfio-pci'])
    for (const word of ['bind', 'unbind']) {
        t.match(await run(word, 'nosuch'), { code: 2, err: /"nosuch" is no PCI device and no interface/ })
        t.match(await run(word, '00:02.0'), {
            code: 2,
            err: /no network card \(PCI class 0x018000, driver virtio-pci\)/,
        })
    }
    t.match(await run('unbind', '3b:00.0'), { code: 0, out: /virtio-pci, the kernel's already/ })
    t.same(written(), UNTOUCHED)
})

t.test('one that is in use', async (t) => {
    // An interface of that name has addresses on every machine.
    const { run, written } = machine(t.testdir({}), 'lo', ['vfio-pci'])
    for (const card of ['lo', CARD, '3b:00.0'])
        t.match(await run('bind', card), { code: 1, err: /is lo with .*127\.0\.0\.1\/8.*\(--force\)/ })
    t.same(written(), UNTOUCHED)
    t.match(await run('bind', 'lo', '--force', '--dry-run'), {
        code: 0,
        out: /echo vfio-pci > .*driver_override/,
    })
    t.same(written(), UNTOUCHED)
})

t.test('a driver that is not loaded', async (t) => {
    const { run, written } = machine(t.testdir({}), 'none0', [])
    t.match(await run('bind', 'none0'), { code: 1, err: /vfio-pci is not loaded: modprobe vfio-pci/ })
    t.match(await run('bind', CARD, '-d', 'igb_uio'), { code: 1, err: /modprobe igb_uio/ })
    t.same(written(), UNTOUCHED)
})

t.test('what is written; a driver that does not take it gives it back', async (t) => {
    const { run, written } = machine(t.testdir({}), 'none0', ['vfio-pci'])
    const dry = await run('bind', 'none0', '--dry-run')
    t.equal(dry.code, 0)
    t.match(
        dry.out.split('\n').map((line) => line.replace(/\/\S*\/bus\/pci/, '')),
        [
            `echo vfio-pci > /devices/${CARD}/driver_override`,
            `echo ${CARD} > /devices/${CARD}/driver/unbind`,
            `echo ${CARD} > /drivers_probe`,
            '',
        ],
    )
    t.same(written(), UNTOUCHED)
    t.match(await run('bind', 'none0'), {
        code: 1,
        err: /vfio-pci did not take 0000:3b:00\.0.*it has virtio-pci again/,
    })
    t.same(written(), { override: '', unbind: CARD, probe: CARD })
})

t.test("one that is DPDK's", async (t) => {
    const { run } = machine(t.testdir({}), 'none0', [], 'vfio-pci')
    t.match(await run('bind', CARD), { code: 0, out: /vfio-pci already/ })
    t.match(await run('unbind', CARD, '-n'), {
        code: 0,
        out: /echo '' > .*driver_override\necho 0000:3b:00\.0 > .*unbind/,
    })
})

t.test('who may not', { skip: process.getuid!() !== 0 && 'only root can become another' }, async (t) => {
    const folder = mkdtempSync('/tmp/pronghorn-sys-') // where another user may look
    t.teardown(() => rmSync(folder, { recursive: true }))
    chmodSync(folder, 0o755)
    const { written } = machine(folder, 'none0', ['vfio-pci'])
    mkdirSync(join(folder, 'dist'))
    writeFileSync(join(folder, 'package.json'), readFileSync(`${root}package.json`))
    const bundle = join(folder, 'dist/cli.mjs')
    await build({
        entryPoints: [`${root}lib/cli/main.ts`],
        outfile: bundle,
        bundle: true,
        platform: 'node',
        format: 'esm',
        banner: {
            js: "import { createRequire as madeHere } from 'node:module'; const require = madeHere('/')",
        },
    })
    const { status, stderr } = spawnSync(process.execPath, [bundle, 'bind', CARD, '--sys', folder], {
        uid: 65534,
        gid: 65534,
        cwd: folder,
        env: { NO_COLOR: '1' },
        encoding: 'utf8',
    })
    t.equal(status, 1)
    t.match(stderr, /driver_override: only root may do that/)
    t.same(written(), UNTOUCHED)
})

t.test('the cards of this machine: those in use are refused', async (t) => {
    const cards = existsSync('/sys/bus/pci/devices')
        ? readdirSync('/sys/class/net').filter((name) => existsSync(`/sys/class/net/${name}/device`))
        : []
    for (const name of cards) {
        if (!networkInterfaces()[name]) continue
        const { code, err } = await pronghorn('bind', name, '--dry-run')
        t.ok([1, 2].includes(code), name)
        t.match(err, new RegExp(`is ${name} with |is no PCI device`))
    }
    t.pass(`${cards.length} cards`)
})
