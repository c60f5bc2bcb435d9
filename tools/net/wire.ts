// SPDX-License-Identifier: Apache-2.0
/*
 * A wire to the kernel for tests, examples and the main job: a veth pair whose one end (`device`) is
 * left bare in this namespace for a port of ours, and whose other end lies in a network namespace of
 * its own, with addresses, for the kernel's programs.
 *
 *     const wire = makeWire()
 *     wire.port                    // "af_packet,iface=...,address=..." for the `port` setting
 *     await wire.run('ping', ['-c1', wire.our4])
 *     wire.close()                 // also happens by itself when the process ends
 *
 * Names carry the process id, so that runs do not meet and a later run sweeps what a killed one left.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { cleanup } from './cleanup.js'
import { must, type Result, type RunOptions, run, tryRun } from './commands.js'

const PREFIX = 'phw'
let count = 0

export interface WireOptions {
    mtu?: number
    /* Queues of our end (af_xdp wants one, af_packet fans out by itself). */
    queues?: number
    /* Leave the peer's checksum and segmentation offloads on, as a kernel's default is. */
    peerOffload?: boolean
    ipv6?: boolean
    driver?: string
}

export interface Wire {
    readonly namespace: string
    /* Our end, in the namespace of this process; the kernel has no address on it. */
    readonly device: string
    readonly peerDevice: string
    readonly our4: string
    readonly peer4: string
    readonly our6: string
    readonly peer6: string
    readonly mtu: number
    /* The line for the setting `port`. */
    readonly port: string
    /* Where our end was moved to, if it is not in the namespace of this process. */
    readonly home?: string
    /* Runs a program of the kernel's side to its end. */
    run(command: string, args: string[], options?: RunOptions): Promise<Result>
    /* Starts one in the background; its owner ends it, and close() at the latest. */
    spawn(command: string, args: string[], options?: SpawnOptions): ChildProcess
    close(): void
}

const owner = (name: string) => name.match(new RegExp(`^${PREFIX}(\\d+)[._]`))?.[1]
const isDead = (name: string) => {
    const pid = owner(name)
    return pid !== undefined && !existsSync(`/proc/${pid}`)
}

/* Removes namespaces and devices whose process is gone. */
export function sweepWires(): void {
    for (const name of existsSync('/run/netns') ? readdirSync('/run/netns') : []) {
        if (isDead(name)) removeNamespace(name)
    }
    for (const name of readdirSync('/sys/class/net')) if (isDead(name)) tryRun('ip', 'link', 'del', name)
}

function removeNamespace(name: string): void {
    // Programs that still run in it keep it alive, and with it its devices: end them first. They are
    // this wire's own, since nobody else knows the name.
    for (const pid of must('ip', 'netns', 'pids', name).split('\n').filter(Boolean)) {
        try {
            process.kill(Number(pid), 'SIGKILL')
        } catch {
            // It ended by itself meanwhile.
        }
    }
    tryRun('ip', 'netns', 'del', name)
}

let reason: string | undefined | null = null

/* undefined if this process can make wires, else why not. Found out by doing it, once. */
export function whyNoWires(): string | undefined {
    if (reason !== null) return reason
    if (process.getuid?.() !== 0) {
        reason = 'needs root (network namespaces)'
        return reason
    }
    const name = `${PREFIX}${process.pid}.try`
    try {
        must('ip', 'netns', 'add', name)
        reason = undefined
    } catch (error) {
        reason = `network namespaces do not work here: ${(error as Error).message}`
    }
    tryRun('ip', 'netns', 'del', name)
    return reason
}

export function makeWire(options: WireOptions = {}): Wire {
    const { mtu = 1500, queues = 1, peerOffload = false, ipv6 = true, driver = 'af_packet' } = options
    sweepWires()
    const serial = count++
    const namespace = `${PREFIX}${process.pid}.${serial}`
    // Interface names have 15 characters at most; a pid has up to 7 digits.
    const device = `${PREFIX}${process.pid}_${serial}a`
    const peerDevice = `${PREFIX}${process.pid}_${serial}b`
    const [our4, peer4] = [`10.86.${serial % 256}.1`, `10.86.${serial % 256}.2`]
    const [our6, peer6] = [`fd86:${(serial + 1).toString(16)}::1`, `fd86:${(serial + 1).toString(16)}::2`]
    const children = new Set<ChildProcess>()

    const close = cleanup(() => {
        for (const child of children) child.kill('SIGKILL')
        removeNamespace(namespace)
        if (existsSync(`/sys/class/net/${device}`)) tryRun('ip', 'link', 'del', device)
    })
    const inside = (...command: string[]) => must('ip', 'netns', 'exec', namespace, ...command)
    try {
        must('ip', 'netns', 'add', namespace)
        const perQueue = ['numrxqueues', String(queues), 'numtxqueues', String(queues)]
        must(
            'ip',
            'link',
            'add',
            device,
            'mtu',
            String(mtu),
            ...perQueue,
            'type',
            'veth',
            'peer',
            peerDevice,
            // (XDP wants a queue for each that the other end sends on.)
            ...(driver === 'af_xdp' ? perQueue : []),
            'netns',
            namespace,
        )
        // Our end: no address and no IPv6, or the kernel would answer beside us.
        setSysctl(`net/ipv6/conf/${device}/disable_ipv6`, '1')
        must('ip', 'link', 'set', device, 'up')
        inside('ip', 'link', 'set', 'lo', 'up')
        if (!peerOffload) inside('ethtool', '-K', peerDevice, 'tx', 'off')
        inside('ip', 'link', 'set', peerDevice, 'mtu', String(mtu), 'up')
        inside('ip', 'addr', 'add', `${peer4}/24`, 'dev', peerDevice)
        if (ipv6) inside('ip', '-6', 'addr', 'add', `${peer6}/64`, 'dev', peerDevice, 'nodad')
    } catch (error) {
        close()
        throw error
    }

    const address = [`${our4}/24`, ...(ipv6 ? [`${our6}/64`] : [])].map((text) => `,address=${text}`).join('')
    return {
        namespace,
        device,
        peerDevice,
        our4,
        peer4,
        our6,
        peer6,
        mtu,
        port: `${driver},iface=${device}${address}${mtu === 1500 ? '' : `,mtu=${mtu}`}`,
        run: (command, args, rest) => run('ip', ['netns', 'exec', namespace, command, ...args], rest),
        spawn(command, args, rest = {}) {
            const child = spawn('ip', ['netns', 'exec', namespace, command, ...args], rest)
            children.add(child)
            child.on('exit', () => children.delete(child))
            return child
        },
        close,
    }
}

/* Both ends bare, in the namespace of this process: for two processes that both run on our stacks. */
export interface BarePair {
    /* The lines for the setting `port` of the one and of the other. */
    readonly ports: readonly [string, string]
    readonly addresses4: readonly [string, string]
    readonly addresses6: readonly [string, string]
    close(): void
}

export function makeBarePair(): BarePair {
    sweepWires()
    const serial = count++
    const devices = ['a', 'b'].map((end) => `${PREFIX}${process.pid}_${serial}${end}`) as [string, string]
    const addresses4 = [`10.86.${serial % 256}.1`, `10.86.${serial % 256}.2`] as const
    const base6 = `fd86:${(serial + 1).toString(16)}`
    const addresses6 = [`${base6}::1`, `${base6}::2`] as const
    const close = cleanup(() => tryRun('ip', 'link', 'del', devices[0]))
    try {
        must('ip', 'link', 'add', devices[0], 'type', 'veth', 'peer', 'name', devices[1])
        for (const device of devices) {
            setSysctl(`net/ipv6/conf/${device}/disable_ipv6`, '1')
            must('ip', 'link', 'set', device, 'up')
        }
    } catch (error) {
        close()
        throw error
    }
    const line = (end: 0 | 1) =>
        `af_packet,iface=${devices[end]},address=${addresses4[end]}/24,address=${addresses6[end]}/64`
    return { ports: [line(0), line(1)], addresses4, addresses6, close }
}

function setSysctl(name: string, value: string): void {
    if (existsSync(`/proc/sys/${name}`)) must('sh', '-c', `echo ${value} > /proc/sys/${name}`)
}
