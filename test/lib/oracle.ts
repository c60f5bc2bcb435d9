// SPDX-License-Identifier: Apache-2.0
// Runs one scenario on node:net and on ours, and compares what the actors in it saw. What each actor
// sees is a list of its own, since the order between two ends of a connection is nobody's promise.

import nodeNet from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import ourNet from '../../lib/net/index.js'
import { host, other, startStack } from './stack.js'

export type Net = typeof nodeNet
type Seen = Record<string, string[]>

export class Scene {
    readonly seen: Seen = {}
    readonly #replace: [string, string][] = []

    constructor(
        readonly net: Net,
        readonly host: string,
        /** Another address where nobody listens. */
        readonly other: string,
    ) {
        this.#replace.push([host, 'HOST'], [other, 'OTHER'])
    }

    /** Port numbers differ from run to run; from here on this one reads as its name. */
    alias(value: unknown, name: string): void {
        this.#replace.push([String(value), name])
    }

    note(actor: string, ...what: unknown[]): void {
        let line = what.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(' ')
        for (const [from, to] of this.#replace) line = line.replaceAll(from, to)
        this.seen[actor] ??= []
        this.seen[actor].push(line)
    }

    /** Notes a socket's events, all but 'data' and 'readable', which would make it flow. */
    watch(actor: string, socket: nodeNet.Socket): nodeNet.Socket {
        for (const event of ['connect', 'ready', 'end', 'finish', 'timeout', 'drain'])
            socket.on(event, () => this.note(actor, event))
        socket.on('error', (error) => this.note(actor, 'error', shape(error)))
        socket.on('close', (failed) => this.note(actor, 'close', failed))
        return socket
    }

    /** A listening server; its port is an alias. */
    listen(server: nodeNet.Server, options: nodeNet.ListenOptions = {}): Promise<number> {
        return new Promise((resolve, reject) => {
            server.once('error', reject)
            server.listen({ port: 0, host: this.host, ...options }, () => {
                const { port } = server.address() as nodeNet.AddressInfo
                this.alias(port, 'PORT')
                resolve(port)
            })
        })
    }
}

export function shape(error: unknown): Record<string, unknown> | null {
    if (error === null || error === undefined) return null
    const { name, message, code, errno, syscall, address, port } = error as NodeJS.ErrnoException &
        Record<string, unknown>
    return { name, message, code, errno, syscall, address, port }
}

export function closed(...sockets: (nodeNet.Socket | nodeNet.Server)[]): Promise<unknown> {
    return Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
}

export type Play = (scene: Scene) => Promise<void>

async function seenOn(net: Net, address: string, other: string, play: Play): Promise<Seen> {
    const scene = new Scene(net, address, other)
    let timer: NodeJS.Timeout | undefined
    await Promise.race([
        play(scene),
        new Promise((resolve) => {
            timer = setTimeout(() => {
                scene.note('scene', 'took too long')
                resolve(undefined)
            }, 10_000)
        }),
    ])
    clearTimeout(timer)
    // The other end may still have its last events to see.
    await sleep(30)
    return scene.seen
}

/** The scenario on both; a test point that shows the difference. */
export function compare(t: Test, name: string, play: Play): void {
    t.test(name, async (t) => {
        startStack()
        const expected = await seenOn(nodeNet, '127.0.0.1', '127.0.0.2', play)
        const found = await seenOn(ourNet as unknown as Net, host, other, play)
        t.same(found, expected, 'as node:net')
        t.notOk(found.scene, 'came to its end')
    })
}
