// SPDX-License-Identifier: Apache-2.0
// The only file that loads the addon, and its types. Every call takes and gives plain numbers: a
// result below zero is -errno. Names and arguments are those of POSIX unless a comment says more.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { markAsUntransferable } from 'node:worker_threads'
import { packageRoot } from './package.js'

/** In place of a port number (native/node/address.h). */
export const PORT_OF_PATH = -2

export interface Native {
    /** Starts the runtime of the process with [key, value, key, value, ...]. */
    init(settings: string[]): number
    stop(): void
    /** 0: not started, 1: running, 2: stopped. */
    state(): number
    /** Why init() failed. */
    error(): string
    version(): string
    /** The text of a setting in effect. */
    setting(key: string): string | undefined
    /** Turns the inline stacks once; the amount of work done. */
    turn(): number
    owns(fd: number): number

    /** A port of PORT_OF_PATH makes the host the path of a local socket. */
    socket(domain: number, type: number, protocol: number): number
    bind(fd: number, host: string, port: number): number
    connect(fd: number, host: string, port: number): number
    listen(fd: number, backlog: number): number
    accept(fd: number, flags: number): number
    shutdown(fd: number, how: number): number
    close(fd: number): number
    /** The address lands in the shared words (see address.ts). */
    getsockname(fd: number): number
    getpeername(fd: number): number
    /** The value lands in words[0]. */
    getsockopt(fd: number, level: number, name: number): number
    /** Stack, core, port and queue in words[0] to words[3]; -1: unknown. */
    place(fd: number): number
    getsockoptBytes(fd: number, level: number, name: number, value: Uint8Array): number
    setsockopt(fd: number, level: number, name: number, value: number): number
    setsockoptBytes(fd: number, level: number, name: number, value: ArrayBufferView): number
    fcntl(fd: number, cmd: number, argument: number): number
    /** The request's answer lands in words[0]. */
    ioctl(fd: number, request: number, argument: number): number

    send(fd: number, buffer: ArrayBufferView, offset: number, length: number, flags: number): number
    sendto(
        fd: number,
        buffer: ArrayBufferView,
        offset: number,
        length: number,
        flags: number,
        host: string,
        port: number,
    ): number
    recv(fd: number, buffer: ArrayBufferView, offset: number, length: number, flags: number): number
    /** The sender's address lands in the shared words. */
    recvfrom(fd: number, buffer: ArrayBufferView, offset: number, length: number, flags: number): number
    /**
     * Datagrams one behind the other, from offset on: how many, each with nine numbers in `rows` (lib/dgram/receiving.ts).
     * In words[0] why there are no more: 0 (no room), -EAGAIN, or an error.
     */
    recvDatagrams(fd: number, buffer: Uint8Array, offset: number, rows: Int32Array): number
    readv(fd: number, buffers: ArrayBufferView[]): number
    writev(fd: number, buffers: ArrayBufferView[], flags: number): number
    /** Receives into the slab, from offset to its end. */
    recvSlab(fd: number, offset: number): number
    /** Sends the first bytes of the outbox. */
    sendOutbox(fd: number, length: number, flags: number): number
    shareWords(words: Int32Array): number
    shareSlab(slab: Uint8Array): number
    shareOutbox(outbox: Uint8Array): number

    epollCreate(flags: number): number
    epollCtl(epfd: number, op: number, fd: number, events: number, data: number): number
    /** Writes (data, events) pairs. */
    epollWait(epfd: number, pairs: Int32Array, timeoutMs: number): number
    poll(entries: Int32Array, count: number, timeoutMs: number): number

    /**
     * Joins the event loop: dispatch(count) is called when pairs (token, events) were written; with 0 to
     * go on after a listener has thrown, with -1 when the runtime was stopped.
     */
    pollerOpen(dispatch: (count: number) => void, pairs: Int32Array, spinUs: number): number
    pollerHold(hold: boolean): number
    pollerWatch(op: number, fd: number, events: number, token: number): number
    /** How many pairs; with 1 << 17 when pollerMeasure() is to be called around the callback of each. */
    pollerCollect(): number
    /** The callback of a pair begins, or (-1) has ended. */
    pollerMeasure(index: number): void
    /** What a callback between two listeners threw: an uncaught exception. */
    pollerUncaught(error: unknown): void

    /** The arena; undefined where the runtime is not started or external buffers are not allowed. */
    ringMemory(): ArrayBuffer | undefined
    /** A ring's number. `rows` takes four numbers for each segment of a batch. */
    ringOpen(fd: number, rows: Float64Array): number
    /** Returns the oldest `release` segments, then takes a batch: how many segments, 0 at the end. */
    ringTake(ring: number, release: number): number
    /** Returns the oldest `count` segments: how many are still held. */
    ringRelease(ring: number, count: number): number
    /** Sender (or target) of a segment of the last batch, in the shared words. */
    ringName(ring: number, index: number, target: boolean): number
    ringClose(ring: number): number
    /** The most bytes of a reservation, and of a template. */
    sendReserveMax(fd: number): number
    /** The offset in the arena. */
    sendReserve(fd: number, bytes: number): number
    sendCommit(fd: number, bytes: number, flags: number, host?: string, port?: number): number
    templateOpen(fd: number, bytes: Uint8Array, host?: string, port?: number): number
    /** All of it or nothing. */
    templateSend(template: number, flags: number): number
    /** The way of a send, with nothing sent. */
    sendWarm(fd: number, offset: number, bytes: number, host?: string, port?: number): number
    templateWarm(template: number): number
    templateClose(template: number): number
}

/** What one thread of JavaScript shares with the addon: made once, whichever copy of the package comes first. */
export interface Environment {
    native: Native
    /** Results that do not fit one number. */
    words: Int32Array
    /** Small writes are gathered here. */
    outbox: Buffer
}

const OUTBOX_BYTES = 65536

const key = Symbol.for('pronghorn.environment')
const registry = globalThis as unknown as Record<symbol, Environment | undefined>
const require = createRequire(import.meta.url)

function load(): Native {
    const root = packageRoot()
    const chosen = process.env.PRONGHORN_TEST_ADDON
    const built = ['build/release', 'build/Release', 'build/debug', 'build/Debug']
        .map((folder) => join(root, folder, 'pronghorn.node'))
        .find((file) => existsSync(file))
    try {
        if (chosen || built) return require(chosen ?? (built as string))
        return require('node-gyp-build')(root)
    } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause)
        const remedy =
            process.platform !== 'linux'
                ? 'Pronghorn runs on Linux only.'
                : existsSync(join(root, 'native', 'node')) && existsSync(join(root, 'tools'))
                  ? 'In a checkout, build it with: npm run build'
                  : 'This package brings builds for Linux on x64 and arm64; for another system build it from a checkout.'
        throw Object.assign(
            new Error(`pronghorn: cannot load the native addon: ${why}\n${remedy}`, { cause }),
            {
                code: 'ERR_DLOPEN_FAILED',
            },
        )
    }
}

function open(): Environment {
    const native = load()
    const words = new Int32Array(16)
    const outbox = Buffer.allocUnsafeSlow(OUTBOX_BYTES)
    // The addon keeps pointers into these: moving one to another thread would leave them dangling.
    markAsUntransferable(words.buffer)
    markAsUntransferable(outbox.buffer)
    native.shareWords(words)
    native.shareOutbox(outbox)
    return { native, words, outbox }
}

registry[key] ??= open()

export const { native, words, outbox } = registry[key] as Environment
