// SPDX-License-Identifier: Apache-2.0
// One per thread of JavaScript: hands the events of a turn of the event loop to the sockets they are
// for. native/node/poller.cc tells how the event loop polls and sleeps.

import type { AsyncResource } from 'node:async_hooks'
import { availableParallelism } from 'node:os'
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN } from './constants.js'
import { errnoException } from './errors.js'
import { native } from './native.js'
import { Slab } from './slab.js'

const BATCH = 256
/** As native/node/poller.cc has it. */
const ONE = 1 << 16
const MEASURED = 1 << 17

/**
 * What Node runs after each callback of its own: nextTick() and promises. Between the listeners of one batch
 * nobody but us can (a crossing for each listener costs a tenth of what an HTTP server does for a request).
 */
const { _tickCallback: runTicks = () => {} } = process as unknown as { _tickCallback?: () => void }

function runPutOff(): void {
    try {
        runTicks()
    } catch (error) {
        native.pollerUncaught(error)
    }
}

export interface Watched {
    /** The asynchronous context in which its events are told (AsyncLocalStorage). */
    readonly scope: AsyncResource
    /** epoll's bits. */
    onReady(events: number): void
    /** The runtime was stopped: no event will come any more. */
    onStop(): void
}

function spinUs(): number {
    const chosen = Number(native.setting('poller.spin_us'))
    if (chosen > 0) return chosen
    // Where cores are few, a thread that spins longer takes the time of the one it waits for.
    return availableParallelism() < 4 ? 20 : 50
}

export class Poller {
    readonly slab = new Slab()
    #watched: (Watched | undefined)[] = []
    #free: number[] = []
    /** Tokens given back in this batch: a later event of the batch may still carry them. */
    #released: number[] = []
    #pairs = new Int32Array(2 * BATCH)
    #next = 0
    #count = 0
    #holds = 0
    /** Events taken out of their batch. */
    #aside: (() => void)[] = []
    #closed = false

    constructor() {
        const result = native.pollerOpen((word) => this.#dispatch(word, true), this.#pairs, spinUs())
        if (result < 0) throw errnoException(result, 'epoll_create1')
    }

    /** Watches a descriptor; the token names it in later calls. A negative result is -errno. */
    add(fd: number, events: number, watched: Watched): number {
        const token = this.#free.pop() ?? this.#watched.length
        const result = native.pollerWatch(EPOLL_CTL_ADD, fd, events, token)
        if (result < 0) {
            this.#watched[token] = undefined
            this.#free.push(token)
            return result
        }
        this.#watched[token] = watched
        return token
    }

    modify(fd: number, events: number, token: number): void {
        native.pollerWatch(EPOLL_CTL_MOD, fd, events, token)
    }

    /** The descriptor's events go to somebody else from now on. */
    pass(token: number, watched: Watched): void {
        this.#watched[token] = watched
    }

    /** Before the descriptor is closed, which takes it out of the epoll. */
    release(token: number): void {
        this.#watched[token] = undefined
        this.#released.push(token)
    }

    /** Stops watching a descriptor that stays open. */
    remove(fd: number, token: number): void {
        native.pollerWatch(EPOLL_CTL_DEL, fd, 0, token)
        this.release(token)
    }

    /** The runtime is gone: everybody ends, and nothing keeps the process alive any more. */
    stop(): void {
        if (this.#closed) return
        for (const watched of this.#watched.slice()) watched?.onStop()
        this.#closed = true
        native.pollerHold(false)
    }

    /** Holds keep the process alive: +1 or -1. */
    hold(change: number): void {
        if (this.#closed) return
        const before = this.#holds
        this.#holds += change
        if (before === 0) native.pollerHold(true)
        else if (this.#holds === 0) native.pollerHold(false)
    }

    /** Comes back to a socket that had more to read than its share of a turn. */
    again(watched: Watched): void {
        setImmediate(() => watched.scope.runInAsyncScope(watched.onReady, watched, EPOLLIN))
    }

    /** One look, now; the listeners have run when it returns. */
    poll(): number {
        let told = 0
        try {
            // Called by a listener: the look takes the place of its batch, the rest of which comes first.
            this.#setAside()
            for (let tell = this.#aside.shift(); tell; tell = this.#aside.shift(), told++) tell()
            const count = this.#look()
            return count < 0 ? count : told + count
        } finally {
            // A listener threw, to whoever called: the others' events must not end with it.
            this.#setAside()
        }
    }

    #look(): number {
        const word = native.pollerCollect()
        if (word < MEASURED) {
            if (word > 0) this.#dispatch(word, false)
            return word
        }
        const count = word - MEASURED
        for (let i = 0; i < count; i++) {
            native.pollerMeasure(i)
            try {
                this.#dispatch(ONE | (i === 0 ? count : 0), false)
            } finally {
                native.pollerMeasure(-1)
            }
        }
        return count
    }

    /** The rest of the batch, for the next poll() or a later turn of the event loop, whichever comes first. */
    #setAside(): void {
        while (this.#next < this.#count) {
            const at = 2 * this.#next++
            const [token, events] = [this.#pairs[at] as number, this.#pairs[at + 1] as number]
            const watched = this.#watched[token]
            if (watched === undefined) continue
            this.#aside.push(() => {
                if (this.#watched[token] === watched)
                    watched.scope.runInAsyncScope(watched.onReady, watched, events)
            })
            setImmediate(() => this.#aside.shift()?.())
        }
    }

    /**
     * count 0: go on with the batch in which a listener threw; -1: the runtime was stopped. With ONE: one
     * event only, the rest with the next calls. ticks: what a listener puts off comes before the next one.
     */
    #dispatch(word: number, ticks: boolean): void {
        const count = word < 0 ? word : word & (ONE - 1)
        if (count > 0) {
            this.#next = 0
            this.#count = count
            while (this.#released.length > 0) this.#free.push(this.#released.pop() as number)
        } else if (count < 0) {
            this.stop()
            return
        }
        const end = word >= ONE ? Math.min(this.#next + 1, this.#count) : this.#count
        while (this.#next < end && this.#next < this.#count) {
            this.#tellNext()
            if (ticks && this.#next < end) runPutOff()
        }
    }

    #tellNext(): void {
        const at = 2 * this.#next++
        const watched = this.#watched[this.#pairs[at] as number]
        watched?.scope.runInAsyncScope(watched.onReady, watched, this.#pairs[at + 1] as number)
    }
}

const key = Symbol.for('pronghorn.poller')
const registry = globalThis as unknown as Record<symbol, Poller | undefined>

/** This thread's poller, which joins its event loop when first asked for. */
export function poller(): Poller {
    registry[key] ??= new Poller()
    return registry[key]
}

/** If this thread has one. */
export function stopPoller(): void {
    registry[key]?.stop()
}
