// SPDX-License-Identifier: Apache-2.0
// What rows are made of: where programs run, how they are joined, how long they measure.

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
    leftovers,
    ownName,
    sweepNamespaces,
    type VethOptions,
    type VethPair,
    VethPairs,
} from './host/netns.js'
import type { Program } from './host/program.js'

export type Side = 'pronghorn' | 'kernel'
export type Wire = 'vhost' | 'memif'

export interface Options {
    /** Folder of the C programs. */
    programs: string
    wire: Wire
    seconds: number
    warmup: number
    quick: boolean
    cores: [number, number]
}

/** Settings of the two processes that a wire joins. */
export interface WireEnds {
    server: Record<string, string>
    client: Record<string, string>
    addressServer: string
}

const SCRATCH = '/tmp'

export class Context {
    readonly options: Options
    readonly #veths = new VethPairs()
    readonly #scratch: string
    #wires = 0

    constructor(options: Options) {
        this.options = options
        sweepNamespaces()
        for (const name of leftovers(readdirSync(SCRATCH)))
            rmSync(join(SCRATCH, name), { recursive: true, force: true })
        mkdirSync(SCRATCH, { recursive: true })
        this.#scratch = mkdtempSync(join(SCRATCH, `${ownName('wire')}-`))
    }

    /** Removes all that was made on this machine. */
    remove(): void {
        this.#veths.remove()
        rmSync(this.#scratch, { recursive: true, force: true })
    }

    veth(name: string, options: VethOptions): VethPair {
        return this.#veths.get(name, options)
    }

    /** For files of a program; goes when we go. */
    folder(name: string): string {
        const path = join(this.#scratch, name)
        mkdirSync(path, { recursive: true })
        return path
    }

    /** A fresh wire between two stacks; its socket file is never used twice. */
    wire(settings: Record<string, string> = {}, offload = true): WireEnds {
        const path = join(this.#scratch, `w${this.#wires++}`)
        const more = offload ? '' : ',tso=off'
        const [server, client] =
            this.options.wire === 'vhost'
                ? [`vhost,path=${path}`, `virtio_user,path=${path}`]
                : [`memif,role=server,id=0,path=${path}`, `memif,role=client,id=0,path=${path}`]
        return {
            server: { ...settings, PRONGHORN_PORT: `${server}${more},address=10.77.0.1/24` },
            client: { ...settings, PRONGHORN_PORT: `${client}${more},address=10.77.0.2/24` },
            addressServer: '10.77.0.1',
        }
    }

    /** The shim of the same build as the programs. */
    get shim(): string {
        return join(this.options.programs, '..', 'libpronghorn-preload.so')
    }

    /** One of the programs in bench/c, as server on the first core or client on the second. */
    program(
        name: string,
        side: Side,
        role: 'server' | 'client',
        args: Record<string, string | number>,
        where: { env?: Record<string, string>; namespace?: string } = {},
    ): Program {
        const [first, second] = this.options.cores
        const all = {
            cpu: role === 'server' ? first : second,
            seconds: this.options.seconds,
            warmup: this.options.warmup,
            ...args,
        }
        return {
            command: join(this.options.programs, `${name}.${side}`),
            args: [role, ...Object.entries(all).flatMap(([key, value]) => [`--${key}`, `${value}`])],
            env: where.env,
            namespace: where.namespace,
        }
    }
}
