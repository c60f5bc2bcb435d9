// SPDX-License-Identifier: Apache-2.0

import { AsyncResource } from 'node:async_hooks'
import { channel, tracingChannel } from 'node:diagnostics_channel'
import dns from 'node:dns'
import { EventEmitter } from 'node:events'
import { unlinkSync } from 'node:fs'
import { type AddressInfo, type BlockList, isIP, type ListenOptions, type ServerOpts } from 'node:net'
import { getDefaultHighWaterMark } from 'node:stream'
import { type Address, addressInWords } from '../address.js'
import { type BlockListLike, blocked, checkBlockList } from '../block-list.js'
import { rooted } from '../callable.js'
import { EPOLLIN, SOCK_CLOEXEC, SOCK_NONBLOCK } from '../constants.js'
import {
    coded,
    EAGAIN,
    ECONNABORTED,
    EINTR,
    EMFILE,
    ENFILE,
    errnoException,
    invalidType,
    listenException,
} from '../errors.js'
import { native } from '../native.js'
import { poller, type Watched } from '../poller.js'
import { ensureRuntime } from '../runtime.js'
import { checkFunction, checkNumber, checkSignal, formsOf } from './arguments.js'
import { type ListenRequest, listenRequest, openListener } from './listen.js'
import { Socket } from './socket.js'
import type { SocketOptions } from './socket-types.js'

/** The channels that node:net tells accepted sockets on, and of listen(): that it was called, how it went. */
const serverSockets = channel('net.server.socket')
const listens = tracingChannel<object>('net.server.listen')

/** The asynchronous context of accepted sockets, as in Node: that of nobody, not that of listen(). */
const nobody = new AsyncResource('PRONGHORN.SERVER')

const ACCEPTS_PER_TURN = 64
const NODE_MAJOR = Number.parseInt(process.versions.node, 10)
const RETRY_MS = 10

/** node:net's options of a server. */
export interface ServerOptions extends ServerOpts {
    /** Of the sockets that it accepts, bytes. */
    highWaterMark?: number
    /** Whose connections are closed at once. */
    blockList?: BlockList
}

/** What a dropped connection was, as given to 'drop' listeners. */
export interface DropArgument {
    /** Our address, which it came to. */
    localAddress?: string
    /** Our port. */
    localPort?: number
    /** IPv4 or IPv6. */
    localFamily?: string
    /** The peer's address. */
    remoteAddress?: string
    /** The peer's port. */
    remotePort?: number
    /** IPv4 or IPv6. */
    remoteFamily?: string
}

interface ServerEvents {
    close: []
    connection: [socket: Socket]
    drop: [data?: DropArgument]
    error: [error: Error]
    listening: []
}

type Listener<E extends keyof ServerEvents> = (...args: ServerEvents[E]) => void
// biome-ignore lint/suspicious/noExplicitAny: as Node's own declaration
type AnyListener = (...args: any[]) => void

export interface Server {
    /** Calls the listener with each such event. */
    on<E extends keyof ServerEvents>(event: E, listener: Listener<E>): this
    /** An event of the program's own. */
    on(event: string | symbol, listener: AnyListener): this
    /** Calls the listener with the next such event only. */
    once<E extends keyof ServerEvents>(event: E, listener: Listener<E>): this
    /** An event of the program's own, once. */
    once(event: string | symbol, listener: AnyListener): this
    /** The same as on(). */
    addListener<E extends keyof ServerEvents>(event: E, listener: Listener<E>): this
    /** The same as on(). */
    addListener(event: string | symbol, listener: AnyListener): this
    /** As on(), in front of the listeners that are there. */
    prependListener<E extends keyof ServerEvents>(event: E, listener: Listener<E>): this
    /** As on(), in front of the listeners that are there. */
    prependListener(event: string | symbol, listener: AnyListener): this
    /** As once(), in front of the listeners that are there. */
    prependOnceListener<E extends keyof ServerEvents>(event: E, listener: Listener<E>): this
    /** As once(), in front of the listeners that are there. */
    prependOnceListener(event: string | symbol, listener: AnyListener): this
}

/** A listening TCP socket on our stack, with the interface of node:net's Server. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: types of events only
export class Server extends rooted(EventEmitter) implements Watched {
    /** @internal */
    scope!: AsyncResource
    /** More are closed at once, with 'drop'. From Node 22 on 0 lets nobody in, before it means no limit. */
    maxConnections!: number
    /** The number of open connections; getConnections() is the public way to ask. */
    _connections = 0
    /** @internal */
    _connectionKey: string | undefined
    /** Its option: accepted sockets stay open for writing when the peer has ended. */
    readonly allowHalfOpen: boolean
    /** Its option: accepted sockets read nothing until resume(). */
    readonly pauseOnConnect: boolean
    /** Its option: TCP_NODELAY of accepted sockets. */
    readonly noDelay: boolean
    /** Its option: SO_KEEPALIVE of accepted sockets. */
    readonly keepAlive: boolean
    /** Its option, in whole seconds (given in milliseconds, as in Node). */
    readonly keepAliveInitialDelay: number
    /** Its option: of the buffers of accepted sockets, bytes. */
    readonly highWaterMark: number

    #blockList: BlockListLike | undefined
    #fd = -1
    #token = -1
    /** Counts calls of listen() and close(): an answer of the resolver for an earlier one is of no use. */
    #calls = 0
    #referenced = true
    #held = false
    #name: Address | undefined
    #path: string | undefined
    #abort: (() => void) | undefined
    #given: ServerOptions

    /** Does not listen yet; the listener gets each connection. */
    constructor(connectionListener?: (socket: Socket) => void)
    /** With options for the connections that it accepts. Options of a wrong type throw. */
    constructor(options?: ServerOptions, connectionListener?: (socket: Socket) => void)
    constructor(
        options?: ServerOptions | ((socket: Socket) => void),
        connectionListener?: (socket: Socket) => void,
    ) {
        super()
        if (typeof options === 'function') {
            connectionListener = options
            options = undefined
        } else if (options !== undefined && options !== null && typeof options !== 'object') {
            throw invalidType('options', 'of type object', options)
        }
        const given: ServerOptions = options ?? {}
        this.#given = given
        if (given.keepAliveInitialDelay !== undefined)
            checkNumber('options.keepAliveInitialDelay', given.keepAliveInitialDelay)
        const mark = given.highWaterMark
        if (mark !== undefined) checkNumber('options.highWaterMark', mark)
        this.allowHalfOpen = given.allowHalfOpen ?? false
        this.pauseOnConnect = Boolean(given.pauseOnConnect)
        this.noDelay = Boolean(given.noDelay)
        this.keepAlive = Boolean(given.keepAlive)
        this.keepAliveInitialDelay = Math.trunc(Math.max(given.keepAliveInitialDelay ?? 0, 0) / 1000)
        this.highWaterMark = mark === undefined || mark < 0 ? getDefaultHighWaterMark(false) : mark
        this.#blockList = checkBlockList('options.blockList', given.blockList)
        if (connectionListener) this.on('connection', connectionListener)
    }

    /** Whether it listens. */
    get listening(): boolean {
        return this.#fd >= 0
    }

    // ---- listening ----------------------------------------------------------------------------------

    /**
     * Listens; port 0 or none takes a free one. What fails comes as 'error' (EADDRINUSE, EADDRNOTAVAIL, ...);
     * wrong arguments throw, and so does a server that listens already (ERR_SERVER_ALREADY_LISTEN).
     */
    listen(port?: number, hostname?: string, backlog?: number, listener?: () => void): this
    /** On one address. */
    listen(port?: number, hostname?: string, listener?: () => void): this
    /** On all addresses; so many connections may wait to be accepted (tcp.backlog_max at most). */
    listen(port?: number, backlog?: number, listener?: () => void): this
    /** On all addresses. */
    listen(port?: number, listener?: () => void): this
    /** On a local socket of the kernel's. */
    listen(path: string, backlog?: number, listener?: () => void): this
    /** On a local socket of the kernel's. */
    listen(path: string, listener?: () => void): this
    /** By names; `signal` closes it. */
    listen(options: ListenOptions, listener?: () => void): this
    /** On an open descriptor: `{ fd }`. It is the server's from then on. */
    listen(handle: unknown, backlog?: number, listener?: () => void): this
    /** On an open descriptor: `{ fd }`. */
    listen(handle: unknown, listener?: () => void): this
    listen(...args: unknown[]): this {
        const [options, listener] = formsOf(args)
        if (this.#fd >= 0)
            throw coded(
                Error,
                'ERR_SERVER_ALREADY_LISTEN',
                'Listen method has been called more than once without closing.',
            )
        if (listens.asyncStart.hasSubscribers) listens.asyncStart.publish({ server: this, options })
        if (listener) this.once('listening', listener as () => void)
        const request = listenRequest(options, args)
        checkSignal(request.signal)
        if (request.signal) this.#watchSignal(request.signal)
        ensureRuntime()
        this.#calls++
        if (request.host !== undefined && isIP(request.host) === 0) this.#lookUp(request, request.host)
        else this.#open(request)
        return this
    }

    #lookUp(request: ListenRequest, host: string): void {
        const call = this.#calls
        dns.lookup(host, (error, address) => {
            if (call !== this.#calls) return
            if (error) this.emit('error', error)
            else this.#open({ ...request, host: address })
        })
    }

    #failed(error: Error): void {
        if (listens.error.hasSubscribers) listens.error.publish({ server: this, error })
        process.nextTick(() => this.emit('error', error))
    }

    #open(request: ListenRequest): void {
        const opened = openListener(request)
        if (opened.error) {
            this.#failed(opened.error)
            return
        }
        this.#fd = opened.fd
        this.#name = undefined
        this.#path = request.path
        const host = opened.host ?? ''
        this._connectionKey =
            request.path === undefined ? `${isIP(host)}:${host}:${request.port}` : `-1:${request.path}:-1`
        this.scope = new AsyncResource('PRONGHORN.SERVER')
        const token = poller().add(opened.fd, EPOLLIN, this)
        if (token < 0) {
            native.close(this.#fd)
            this.#fd = -1
            this.#failed(listenException(token, 'listen', request.host, request.port))
            return
        }
        this.#token = token
        this.#updateHold()
        if (listens.asyncEnd.hasSubscribers) listens.asyncEnd.publish({ server: this })
        process.nextTick(() => {
            if (this.#fd >= 0) this.emit('listening')
        })
    }

    #watchSignal(signal: AbortSignal): void {
        const abort = () => this.close()
        if (signal.aborted) {
            process.nextTick(abort)
            return
        }
        signal.addEventListener('abort', abort, { once: true })
        this.#abort = () => signal.removeEventListener('abort', abort)
    }

    /** Address, family and port, or the path; null if it does not listen. */
    address(): AddressInfo | string | null {
        if (this.#fd < 0) return null
        if (this.#path !== undefined) return this.#path
        if (!this.#name && native.getsockname(this.#fd) === 0) this.#name = addressInWords()
        const name = this.#name
        return name ? { address: name.address, family: name.family, port: name.port } : null
    }

    // ---- accepting ----------------------------------------------------------------------------------

    /** @internal */
    onReady(): void {
        for (let i = 0; i < ACCEPTS_PER_TURN && this.#fd >= 0; i++) {
            const fd = native.accept(this.#fd, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if (fd >= 0) this.#accepted(fd)
            else if (!this.#acceptFailed(fd)) return
        }
    }

    /** @internal */
    onStop(): void {
        this.close()
    }

    /** Whether to go on at once. */
    #acceptFailed(result: number): boolean {
        if (result === -ECONNABORTED || result === -EINTR) return true
        if (result === -EAGAIN) return false
        if (result === -EMFILE || result === -ENFILE) {
            // Nothing to open it with: leave the connection in the queue and come back. No error, which
            // would end a program that does not expect one here (Node gives none either).
            poller().remove(this.#fd, this.#token)
            this.#token = -1
            setTimeout(() => {
                if (this.#fd >= 0) this.#token = poller().add(this.#fd, EPOLLIN, this)
            }, RETRY_MS).unref()
            return false
        }
        this.emit('error', errnoException(result, 'accept'))
        return false
    }

    #accepted(fd: number): void {
        const full = this.#isFull()
        if (full || this.#blocks(fd)) {
            if (full) this.emit('drop', this.#names(fd))
            native.close(fd)
            return
        }
        this._connections++
        const options: SocketOptions = {
            fd,
            allowHalfOpen: this.allowHalfOpen,
            pauseOnCreate: this.pauseOnConnect,
            readable: true,
            writable: true,
            server: this,
            highWaterMark: this.highWaterMark,
            ...(this.#given.noDelay === undefined ? {} : { noDelay: this.noDelay }),
            ...(this.keepAlive
                ? { keepAlive: true, keepAliveInitialDelay: this.keepAliveInitialDelay * 1000 }
                : {}),
        }
        const socket = nobody.runInAsyncScope(() => new Socket(options))
        this.emit('connection', socket)
        if (serverSockets.hasSubscribers) serverSockets.publish({ socket })
    }

    /** As Node: 0 is a limit from 22 on, and none before. */
    #isFull(): boolean {
        const most = this.maxConnections ?? (undefined as number | undefined)
        if (most === undefined || (most === 0 && NODE_MAJOR < 22)) return false
        return this._connections >= most
    }

    #blocks(fd: number): boolean {
        if (!this.#blockList || native.getpeername(fd) !== 0) return false
        const peer = addressInWords()
        return peer !== undefined && blocked(this.#blockList, peer.address) !== undefined
    }

    #names(fd: number): DropArgument {
        const local = native.getsockname(fd) === 0 ? addressInWords() : undefined
        const remote = native.getpeername(fd) === 0 ? addressInWords() : undefined
        return {
            localAddress: local?.address,
            localPort: local?.port,
            localFamily: local?.family,
            remoteAddress: remote?.address,
            remotePort: remote?.port,
            remoteFamily: remote?.family,
        }
    }

    /** @deprecated as in Node: getConnections() is the way to ask. */
    get connections(): number {
        return this._connections
    }

    /** A connection has ended. */
    _forget(): void {
        this._connections--
        this.#closeIfDrained()
    }

    /** How many accepted connections are open. */
    getConnections(callback: (error: Error | null, count: number) => void): this {
        checkFunction('callback', callback)
        process.nextTick(callback, null, this._connections)
        return this
    }

    // ---- the end ------------------------------------------------------------------------------------

    /**
     * Accepts no more. 'close' and the callback come when the last connection has ended; the callback gets
     * ERR_SERVER_NOT_RUNNING if it did not listen.
     */
    close(callback?: (error?: Error) => void): this {
        if (typeof callback === 'function') {
            if (this.#fd < 0)
                this.once('close', () =>
                    callback(coded(Error, 'ERR_SERVER_NOT_RUNNING', 'Server is not running.')),
                )
            else this.once('close', callback)
        }
        this.#abort?.()
        this.#abort = undefined
        this.#calls++
        if (this.#fd >= 0) {
            if (this.#token >= 0) poller().release(this.#token)
            native.close(this.#fd)
            this.#fd = -1
            this.#token = -1
            this.#updateHold()
            if (this.#path !== undefined) this.#unlink(this.#path)
        }
        this.#closeIfDrained()
        return this
    }

    #unlink(path: string): void {
        try {
            if (!path.startsWith('\0')) unlinkSync(path)
        } catch {
            // Somebody else's by now.
        }
    }

    /** What listeners return as a promise that fails. */
    override [EventEmitter.captureRejectionSymbol](error: Error, event: string, socket: unknown): void {
        if (event === 'connection') (socket as Socket).destroy(error)
        else this.emit('error', error)
    }

    #closeIfDrained(): void {
        if (this.#fd >= 0 || this._connections > 0) return
        process.nextTick(() => this.emit('close'))
    }

    /** `await using server = ...`: close(), and waits for it. */
    async [Symbol.asyncDispose](): Promise<void> {
        if (this.#fd < 0) return
        await new Promise<void>((resolve, reject) => {
            this.close((error) => (error ? reject(error) : resolve()))
        })
    }

    /** Keeps the process alive again while it listens. */
    ref(): this {
        this.#referenced = true
        this.#updateHold()
        return this
    }

    /** Lets the process end although it listens. */
    unref(): this {
        this.#referenced = false
        this.#updateHold()
        return this
    }

    #updateHold(): void {
        const hold = this.#referenced && this.#fd >= 0
        if (hold === this.#held) return
        this.#held = hold
        poller().hold(hold ? 1 : -1)
    }
}
