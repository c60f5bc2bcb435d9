// SPDX-License-Identifier: Apache-2.0
// What a process tells of itself that does not change: settings, ports, sizes. Lines of JSON in the
// segment (native/api/facts.c); a line that is not understood is left out.

import { readSync } from 'node:fs'
import type { Layout } from './layout.js'

/** A setting in effect. */
export interface SettingFact {
    /** Its name in docs/configuration.md. */
    key: string
    /** As text. */
    value: string
    /** "default", "pronghorn.json:3", "PRONGHORN_STACK_CORES", "caller", "pronghorn set". */
    source: string
}

/** A port: what it is, and what its device does by itself. */
export interface PortFact {
    /** DPDK's number of it. */
    id: number
    /** DPDK's name of it. */
    name: string
    /** The device of its port line. */
    device: string
    /** DPDK's driver. */
    driver: string
    /** The kernel's interface that it stands on; empty without one. */
    interface: string
    /** Its own address. */
    mac: string
    /** Bytes. */
    mtu: number
    /** Pairs of queues, one for each of its stacks. */
    queues: number
    /** Where the device is; -1: nowhere in particular. */
    numa_node: number
    /** Whether received checksums are verified. */
    rx_checksum: boolean
    /** With their prefixes. */
    addresses: string[]
    /** Its routers. */
    gateways: string[]
    /** What the device does. */
    offloads: string[]
    /** What it cannot do, so that the stack does. */
    offloads_missing: string[]
}

/** A stack: where it runs and what it has. */
export interface StackFact {
    /** From 0 on. */
    id: number
    /** -1: not pinned. */
    core: number
    /** Of its memory; -1: unknown. */
    numa_node: number
    /** dedicated or inline. */
    drive: string
    /** In its pool. */
    packets: number
    /** Of send memory, 4 KiB each. */
    chunks: number
    /** Ids of its ports. */
    ports: number[]
}

/** What a process tells of itself that does not change. */
export interface Facts {
    /** All of them. */
    settings: SettingFact[]
    /** In the order of the port lines. */
    ports: PortFact[]
    /** One entry each. */
    stacks: StackFact[]
}

const TRIES = 100
const BYTES_MAX = 1 << 20

type Shape<T> = { [name in keyof T]: 'string' | 'number' | 'boolean' | 'strings' | 'numbers' }
const SETTING: Shape<SettingFact> = { key: 'string', value: 'string', source: 'string' }
const PORT: Shape<PortFact> = {
    id: 'number',
    name: 'string',
    device: 'string',
    driver: 'string',
    interface: 'string',
    mac: 'string',
    mtu: 'number',
    queues: 'number',
    numa_node: 'number',
    rx_checksum: 'boolean',
    addresses: 'strings',
    gateways: 'strings',
    offloads: 'strings',
    offloads_missing: 'strings',
}
const STACK: Shape<StackFact> = {
    id: 'number',
    core: 'number',
    numa_node: 'number',
    drive: 'string',
    packets: 'number',
    chunks: 'number',
    ports: 'numbers',
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be removed
const clean = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')

/** The members that `shape` names, or undefined: one is missing or of another type. */
function shaped<T>(value: Record<string, unknown>, shape: Shape<T>): T | undefined {
    const result: Record<string, unknown> = {}
    for (const [name, type] of Object.entries(shape)) {
        const member = value[name]
        if (type === 'strings' || type === 'numbers') {
            const of = type.slice(0, -1)
            if (!Array.isArray(member) || !member.every((item) => typeof item === of)) return undefined
            result[name] = type === 'strings' ? member.map(clean) : member
        } else {
            if (typeof member !== type) return undefined
            result[name] = type === 'string' ? clean(member as string) : member
        }
    }
    return result as T
}

export function factsFrom(text: string): Facts {
    const facts: Facts = { settings: [], ports: [], stacks: [] }
    for (const line of text.split('\n')) {
        let value: unknown
        try {
            value = JSON.parse(line)
        } catch {
            continue
        }
        if (typeof value !== 'object' || value === null) continue
        const object = value as Record<string, unknown>
        const keep = <T>(list: T[], shape: Shape<T>) => {
            const fact = shaped(object, shape)
            if (fact) list.push(fact)
        }
        if (object.fact === 'setting') keep(facts.settings, SETTING)
        else if (object.fact === 'port') keep(facts.ports, PORT)
        else if (object.fact === 'stack') keep(facts.stacks, STACK)
    }
    return facts
}

/** They change rarely (pronghorn set), behind a sequence counter that is odd meanwhile. */
export function readFacts(fd: number, layout: Layout): Facts {
    const { factsOffset } = layout
    if (factsOffset === 0) return factsFrom('')
    const head = Buffer.alloc(208)
    const again = Buffer.alloc(208)
    let text = Buffer.alloc(0)
    for (let tries = 0; tries < TRIES; tries++) {
        readSync(fd, head, 0, head.length, 0)
        const bytes = Math.min(
            head.readUInt32LE(188),
            BYTES_MAX,
            Math.max(0, layout.stackOffset - factsOffset),
        )
        text = Buffer.alloc(bytes)
        const length = readSync(fd, text, 0, bytes, factsOffset)
        text = text.subarray(0, length)
        readSync(fd, again, 0, again.length, 0)
        const sequence = head.readUInt32LE(200)
        if (sequence % 2 === 0 && sequence === again.readUInt32LE(200)) break
    }
    return factsFrom(text.toString('utf8'))
}
