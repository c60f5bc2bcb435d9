// SPDX-License-Identifier: Apache-2.0
// Gives a card to DPDK (vfio-pci), and back to the kernel.

import { readlinkSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { Command } from 'commander'
import { EXIT, Failure } from './failure.js'
import { namesIn, textOf } from './machine.js'

const PCI = '/sys/bus/pci'

/** "3b:00.0", "0000:3b:00.0" or the kernel's interface -> the full address. */
function addressOf(text: string): string {
    try {
        const device = basename(readlinkSync(`/sys/class/net/${basename(text)}/device`))
        if (/^[0-9a-f]{4}:/.test(device)) return device
    } catch {
        // No interface.
    }
    const address = /^[0-9a-f]{2}:/i.test(text) && text.split(':').length === 2 ? `0000:${text}` : text
    if (!namesIn(`${PCI}/devices`).includes(address.toLowerCase()))
        throw new Failure(
            `"${text}" is no PCI device and no interface on one (lspci -D, ip link)`,
            EXIT.usage,
        )
    return address.toLowerCase()
}

function driverOf(address: string): string {
    try {
        return basename(readlinkSync(`${PCI}/devices/${address}/driver`))
    } catch {
        return ''
    }
}

/** Whether taking the card away would cut somebody off. */
function inUse(address: string): string | undefined {
    const routes = textOf('/proc/net/route') ?? ''
    return namesIn(`${PCI}/devices/${address}/net`).find((name) =>
        new RegExp(`^${name}\\t`, 'm').test(routes),
    )
}

function write(path: string, text: string): void {
    try {
        writeFileSync(path, text)
    } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        throw new Failure(code === 'EACCES' ? `${path}: only root may do that` : `${path}: ${message}`)
    }
}

function give(address: string, driver: string): void {
    if (driver && namesIn(`${PCI}/drivers/${driver}`).length === 0)
        throw new Failure(`the driver ${driver} is not loaded: modprobe ${driver}`)
    write(`${PCI}/devices/${address}/driver_override`, `${driver}\n`)
    if (driverOf(address)) write(`${PCI}/devices/${address}/driver/unbind`, address)
    write(`${PCI}/drivers_probe`, address)
    console.log(`${address}: ${driverOf(address) || 'no driver'}`)
}

export const bind = () =>
    new Command('bind')
        .description('give a network card to DPDK; the kernel loses it')
        .argument('<card>', 'PCI address or interface')
        .option('-d, --driver <name>', 'the driver for it', 'vfio-pci')
        .option('--force', 'even when the kernel has routes over it')
        .action((card: string, options: { driver: string; force?: boolean }) => {
            const address = addressOf(card)
            const busy = inUse(address)
            if (busy && !options.force)
                throw new Failure(
                    `${address} is ${busy}, and the kernel has routes over it: you may cut yourself off (--force)`,
                )
            give(address, options.driver)
        })

export const unbind = () =>
    new Command('unbind')
        .description('give a network card back to the kernel')
        .argument('<card>', 'PCI address')
        .action((card: string) => give(addressOf(card), ''))
