// SPDX-License-Identifier: Apache-2.0
// Gives a card to DPDK (vfio-pci), and back to the kernel. A machine that is reached over the card, or
// whose disk hangs on the address that was mistyped, is lost by one wrong write: so what is no network
// card is refused, and so is one whose interfaces have addresses or routes.

import { readlinkSync, realpathSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { basename } from 'node:path'
import { Command, Option } from 'commander'
import { EXIT, Failure } from './failure.js'
import { namesIn, textOf } from './machine.js'

interface Options {
    driver: string
    force?: boolean
    dryRun?: boolean
    /** For the tests: another folder than /sys. */
    sys: string
}

const NETWORK_CLASS = /^0x02/
/** A card that has one of these is not the kernel's. */
const FOREIGN = ['vfio-pci', 'igb_uio', 'uio_pci_generic', 'pci-stub']

/** The PCI device behind an interface; of a virtio one it is some folders up. */
function deviceOf(sys: string, name: string): string | undefined {
    try {
        const path = realpathSync(`${sys}/class/net/${basename(name)}/device`)
        return path.match(/.*\/([0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?:\/|$)/)?.[1]
    } catch {
        return undefined
    }
}

/** "3b:00.0", "0000:3b:00.0" or the kernel's interface -> the full address. */
function addressOf(text: string, sys: string): string {
    const card = deviceOf(sys, text)
    if (card) return card
    const address = (
        /^[0-9a-f]{2}:/i.test(text) && text.split(':').length === 2 ? `0000:${text}` : text
    ).toLowerCase()
    if (!namesIn(`${sys}/bus/pci/devices`).includes(address))
        throw new Failure(
            `"${text}" is no PCI device and no interface on one (lspci -D, ip link)`,
            EXIT.usage,
        )
    const kind = textOf(`${sys}/bus/pci/devices/${address}/class`) ?? ''
    if (!NETWORK_CLASS.test(kind))
        throw new Failure(
            `${address} is no network card (PCI class ${kind || 'unknown'}, driver ` +
                `${driverOf(address, sys) || 'none'}): it stays as it is (lspci -D)`,
            EXIT.usage,
        )
    return address
}

function driverOf(address: string, sys: string): string {
    try {
        return basename(readlinkSync(`${sys}/bus/pci/devices/${address}/driver`))
    } catch {
        return ''
    }
}

/** What would be lost with the card: interfaces that have addresses, or over which routes lead. */
function inUse(address: string, sys: string): string | undefined {
    const routes = `${textOf('/proc/net/route') ?? ''}\n${textOf('/proc/net/ipv6_route') ?? ''}`
    for (const name of namesIn(`${sys}/class/net`)) {
        if (deviceOf(sys, name) !== address) continue
        const addresses = (networkInterfaces()[name] ?? []).map(({ cidr }) => cidr)
        const routed = routes.split('\n').some((line) => {
            const words = line.trim().split(/\s+/)
            return words[0] === name || words.at(-1) === name
        })
        if (addresses.length > 0)
            return `${name} with ${addresses.join(', ')}${routed ? ', and the kernel has routes over it' : ''}`
        if (routed) return `${name}, and the kernel has routes over it`
    }
    return undefined
}

function refuseInUse(address: string, { sys, force }: Options): void {
    const busy = inUse(address, sys)
    if (busy && !force) throw new Failure(`${address} is ${busy}: you may cut yourself off (--force)`)
}

/** The files that are written, in this order. */
function writesOf(address: string, driver: string, sys: string): [path: string, text: string][] {
    const device = `${sys}/bus/pci/devices/${address}`
    return [
        [`${device}/driver_override`, `${driver}\n`],
        ...(driverOf(address, sys) ? [[`${device}/driver/unbind`, address] as [string, string]] : []),
        [`${sys}/bus/pci/drivers_probe`, address],
    ]
}

function write([path, text]: [path: string, text: string]): void {
    try {
        writeFileSync(path, text)
    } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        throw new Failure(
            code === 'EACCES' || code === 'EPERM'
                ? `${path}: only root may do that`
                : `${path}: ${code ?? message}`,
        )
    }
}

function give(address: string, driver: string, { sys, dryRun }: Options): void {
    if (driver && namesIn(`${sys}/bus/pci/drivers/${driver}`).length === 0)
        throw new Failure(`the driver ${driver} is not loaded: modprobe ${driver}`)
    const before = driverOf(address, sys)
    const writes = writesOf(address, driver, sys)
    if (dryRun) {
        for (const [path, text] of writes) console.log(`echo ${text.trim() || "''"} > ${path}`)
        return
    }
    for (const each of writes) write(each)
    const now = driverOf(address, sys)
    if (driver && now !== driver) {
        // It shall not stay without any.
        for (const each of writesOf(address, '', sys)) write(each)
        throw new Failure(
            `${driver} did not take ${address} (dmesg | tail; without an IOMMU: pronghorn doctor); ` +
                `it has ${driverOf(address, sys) || 'no driver'} again`,
        )
    }
    if (!driver && !now)
        throw new Failure(`${address}: no driver of the kernel took it (lspci -kns ${address})`)
    console.log(`${address}: ${now}${before ? ` (it was ${before})` : ''}`)
}

const common = (command: Command) =>
    command
        .option('-n, --dry-run', 'only say what would be written where')
        .addOption(new Option('--sys <path>', 'where the kernel tells of devices').default('/sys').hideHelp())

export const bind = () =>
    common(new Command('bind'))
        .description('give a network card to DPDK; the kernel loses it')
        .argument('<card>', 'PCI address or interface')
        .option('-d, --driver <name>', 'the driver for it', 'vfio-pci')
        .option('--force', 'even when its interface has addresses or routes')
        .action((card: string, options: Options) => {
            const address = addressOf(card, options.sys)
            if (driverOf(address, options.sys) === options.driver) {
                console.log(`${address}: ${options.driver} already`)
                return
            }
            refuseInUse(address, options)
            give(address, options.driver, options)
        })
        .addHelpText(
            'after',
            `
Examples:
  pronghorn bind 3b:00.0 --dry-run
  pronghorn bind 0000:3b:00.0
  pronghorn unbind 3b:00.0`,
        )

export const unbind = () =>
    common(new Command('unbind'))
        .description('give a network card back to the kernel')
        .argument('<card>', 'PCI address')
        .action((card: string, options: Options) => {
            const address = addressOf(card, options.sys)
            const driver = driverOf(address, options.sys)
            const override = textOf(`${options.sys}/bus/pci/devices/${address}/driver_override`)
            if (driver && !FOREIGN.includes(driver) && driver !== override) {
                console.log(`${address}: ${driver}, the kernel's already`)
                return
            }
            refuseInUse(address, options)
            give(address, '', options)
        })
        .addHelpText(
            'after',
            `
Examples:
  pronghorn unbind 3b:00.0 --dry-run
  pronghorn unbind 3b:00.0`,
        )
