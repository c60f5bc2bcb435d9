// SPDX-License-Identifier: Apache-2.0
// Random arguments for fuzz-program.ts: mostly such as the call asks for, sometimes of another type, out of range, or
// memory that was detached. A kernel descriptor is never among them: closing or filling those of Node itself would end
// the process rightly.

import * as posix from '../../lib/posix.js'

// biome-ignore lint/suspicious/noExplicitAny: wrong arguments are what it is about
export type Any = any

/** Descriptors of this process that are not ours lie below. */
const KERNEL_FDS = 4096

export class Values {
    /** Descriptors that the program holds. */
    readonly fds: number[] = []
    #state: number

    constructor(seed: number) {
        this.#state = seed
    }

    /** A whole number below n. */
    below(n: number): number {
        this.#state = (Math.imul(this.#state, 1103515245) + 12345) >>> 0
        return (this.#state >>> 8) % n
    }

    chance(oneIn: number): boolean {
        return this.below(oneIn) === 0
    }

    pick<T>(list: readonly T[]): T {
        return list[this.below(list.length)] as T
    }

    fd(): number {
        if (this.fds.length === 0 || this.chance(20))
            return this.pick([-1, 2 ** 30 + this.below(2 ** 20), 2 ** 31 - 1, -(2 ** 31)])
        return this.pick(this.fds)
    }

    host(): string {
        return this.pick([
            ...[
                '10.87.0.1',
                '10.87.0.2',
                '127.0.0.1',
                '0.0.0.0',
                '10.87.0.9',
                '239.1.2.3',
                '255.255.255.255',
            ],
            ...['::', '::1', 'fe80::1%1', '', 'nobody', '999.1.1.1', ':::::', '\0abstract', 'x'.repeat(300)],
        ])
    }

    port(): number {
        return this.pick([0, 1, 5000 + this.below(20), 65535, 65536, -1, -2])
    }

    memory(most = 5000): NodeJS.ArrayBufferView {
        const bytes = this.below(most)
        switch (this.below(8)) {
            case 0:
                return new DataView(new ArrayBuffer(bytes))
            case 1:
                return new Uint8Array(new SharedArrayBuffer(bytes))
            case 2:
                return new Float64Array(this.below(400) + 250)
            case 3:
                return new Int32Array(this.below(600))
            case 4: // (It begins and ends at no round address.)
                return new Uint8Array(bytes + 8).subarray(this.below(8), bytes)
            case 5:
                return detached(bytes)
            default:
                return Buffer.alloc(bytes, 1)
        }
    }

    wrong(): Any {
        switch (this.below(16)) {
            case 0:
                return undefined
            case 1:
                return null
            case 2:
                return this.pick([Number.NaN, Infinity, -Infinity, 2 ** 31, 2 ** 53, -(2 ** 53), 2 ** 63])
            case 3:
                return KERNEL_FDS + this.below(1e6) + 0.5
            case 4:
                return 'x'.repeat(this.below(300))
            case 5:
                return {}
            case 6:
                return [this.memory(), 5]
            case 7:
                return () => {}
            case 8:
                return BigInt(this.below(1e9))
            case 9:
                return Symbol('nothing')
            case 10:
                return true
            case 11:
                return Array.from({ length: this.below(80) }, () => this.memory(20))
            case 12:
                return detached(this.below(100))
            case 13:
                return KERNEL_FDS + this.below(2 ** 31 - KERNEL_FDS)
            case 14:
                return -this.below(2 ** 31)
            default:
                return this.memory()
        }
    }

    of(kind: Kind): Any {
        return this.chance(6) ? this.wrong() : kinds[kind](this)
    }
}

function detached(bytes: number): Uint8Array {
    const view = new Uint8Array(bytes)
    structuredClone(view.buffer, { transfer: [view.buffer] })
    return view
}

const MEMBERS = { at: 0, type: 'u32' }
const layouts = [{ bytes: 64 }, { prefix: 2 }, { prefix: 4, at: 2, max: 3000 }, { datagrams: true }]

/** What an argument is for; the argument then is a likely one. */
const kinds = {
    fd: (v: Values) => v.fd(),
    domain: (v: Values) => v.pick([2, 2, 10, 10, 1, 99, -1]),
    type: (v: Values) => v.pick([1, 1, 2, 2, 3, 5, 0, -1]),
    host: (v: Values) => v.host(),
    port: (v: Values) => v.port(),
    memory: (v: Values) => v.memory(),
    ints: (v: Values) => new Int32Array(v.below(600)),
    words: (v: Values) => new Int32Array(16 + v.below(4)),
    rows: (v: Values) => new Float64Array(v.below(4096)),
    list: (v: Values) => Array.from({ length: v.below(70) }, () => v.memory(300)),
    entries: (v: Values) => Array.from({ length: v.below(9) }, () => ({ fd: v.fd(), events: v.below(64) })),
    settings: (v: Values) =>
        v.pick([[], ['stack.idle', 'poll'], ['nothing'], ['a', 'b'], new Array(1e6), [{}, 5]]),
    key: (v: Values) => v.pick(['stack.idle', 'poller.spin_us', 'port', 'nothing', 'x'.repeat(200)]),
    small: (v: Values) => v.below(8) - 1,
    size: (v: Values) => v.below(6000) - 10,
    number: (v: Values) => v.pick([0, 1, -1, v.below(100), v.below(70000), 2 ** 31 - 1, -(2 ** 31)]),
    level: (v: Values) => v.pick([posix.SOL_SOCKET, 0, posix.IPPROTO_TCP, 17, 41, 58, 999]),
    name: (v: Values) => v.below(80),
    flags: (v: Values) =>
        v.pick([0, 0, 0, posix.MSG_DONTWAIT, posix.MSG_PEEK, posix.MSG_MORE, v.below(2 ** 20)]),
    events: (v: Values) =>
        v.pick([posix.EPOLLIN, posix.EPOLLOUT, posix.EPOLLIN | posix.EPOLLET, v.below(2 ** 31)]),
    operation: (v: Values) => v.below(4),
    command: (v: Values) => v.pick([posix.F_GETFL, posix.F_SETFL, v.below(20), 1024 + v.below(20)]),
    request: (v: Values) =>
        v.pick([posix.FIONREAD, 0x5401, 0x5411, 0x5421, 0x8905, 0x8912, v.below(2 ** 31)]),
    flag: (v: Values) => v.chance(2),
    nothing: () => undefined,
    listener: () => () => {},
    layout: (v: Values) => v.pick(layouts),
    fields: (v: Values) =>
        v.pick([{}, { a: MEMBERS }, { a: { ...MEMBERS, at: 99 } }, { a: { at: 1 } }, { a: 5 }]),
    target: (v: Values) => v.pick([undefined, { address: v.host(), port: v.port() }, {}]),
}
export type Kind = keyof typeof kinds
