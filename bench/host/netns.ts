// SPDX-License-Identifier: Apache-2.0
// Pairs of network namespaces joined by a veth: the kernel's side of each comparison. Names carry
// our pid, so that what a killed run left behind is recognised and swept by the next.

import { readFileSync } from 'node:fs'
import { must, tryRun } from '../../tools/net/commands.js'

const PREFIX = 'phbench'
const NAME = new RegExp(`^${PREFIX}-(\\d+)-`)

const NO_OFFLOAD = ['tx', 'sg', 'tso', 'gso', 'gro'].flatMap((feature) => [feature, 'off'])

export interface VethPair {
    /** Names of the two namespaces; `va` is the interface in the first, `vb` in the second. */
    a: string
    b: string
    addressA: string
    addressB: string
}

export interface VethOptions {
    /** Without checksum and segmentation offload: each segment crosses the wire by itself. */
    offload: boolean
    /** No kernel address on `va`: a stack of ours answers there. */
    bareA: boolean
}

function isAlive(pid: number): boolean {
    try {
        // A pid may have been given to somebody else since: ours is a node process.
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('bench')
    } catch {
        return false
    }
}

/** Names of namespaces (or of anything) of ours whose maker is gone. */
export function leftovers(names: readonly string[], alive: (pid: number) => boolean = isAlive): string[] {
    return names.filter((name) => {
        const maker = NAME.exec(name)?.[1]
        return maker !== undefined && !alive(Number(maker))
    })
}

/** `phbench-<our pid>-<what>`: the shape that `leftovers` knows. */
export function ownName(what: string): string {
    return `${PREFIX}-${process.pid}-${what}`
}

function listNamespaces(): string[] {
    return must('ip', 'netns', 'list')
        .split('\n')
        .map((line) => line.split(' ')[0]!)
        .filter(Boolean)
}

export function sweepNamespaces(): string[] {
    const stale = leftovers(listNamespaces())
    for (const name of stale) tryRun('ip', 'netns', 'delete', name)
    return stale
}

export class VethPairs {
    readonly #made = new Map<string, VethPair>()

    /** The pair of that name, made when asked for the first time. */
    get(name: string, options: VethOptions): VethPair {
        const known = this.#made.get(name)
        if (known) return known
        const a = ownName(`${name}-a`)
        const b = ownName(`${name}-b`)
        const pair: VethPair = { a, b, addressA: '10.78.0.1', addressB: '10.78.0.2' }
        this.#made.set(name, pair)
        must('ip', 'netns', 'add', a)
        must('ip', 'netns', 'add', b)
        must('ip', 'link', 'add', 'va', 'netns', a, 'type', 'veth', 'peer', 'name', 'vb', 'netns', b)
        for (const namespace of [a, b]) {
            const inside = (...args: string[]) => must('ip', 'netns', 'exec', namespace, ...args)
            inside('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1')
            inside('ip', 'link', 'set', 'lo', 'up')
        }
        this.#configure(a, 'va', options.bareA ? null : pair.addressA, options)
        this.#configure(b, 'vb', pair.addressB, options)
        return pair
    }

    #configure(namespace: string, device: string, address: string | null, options: VethOptions): void {
        const inside = (...args: string[]) => must('ip', 'netns', 'exec', namespace, ...args)
        if (address) inside('ip', 'address', 'add', `${address}/24`, 'dev', device)
        if (!options.offload) inside('ethtool', '-K', device, ...NO_OFFLOAD)
        else if (options.bareA) inside('ethtool', '-K', device, 'tx', 'off')
        inside('ip', 'link', 'set', device, 'up')
    }

    /** Removes all that was made. Safe to call twice; a namespace takes its veth with it. */
    remove(): void {
        for (const pair of this.#made.values()) {
            for (const name of [pair.a, pair.b]) tryRun('ip', 'netns', 'delete', name)
        }
        this.#made.clear()
    }
}
