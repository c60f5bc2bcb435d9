// SPDX-License-Identifier: Apache-2.0

import type { AsyncResource } from 'node:async_hooks'
import type { AddressInfo, Socket as NodeSocket, SocketConnectOpts } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { type Address, addressInWords } from '../address.js'
import { type BlockListLike, checkBlockList } from '../block-list.js'
import { F_GETFL } from '../constants.js'
import {
    coded,
    connectException,
    EISCONN,
    errnoException,
    invalidType,
    missingArguments,
    validPort,
} from '../errors.js'
import { native } from '../native.js'
import { poller } from '../poller.js'
import { ensureRuntime } from '../runtime.js'
import {
    type ConnectOptions,
    checkDescriptor,
    checkDuration,
    checkFunction,
    checkSignal,
    checkStreamMode,
    formsOf,
    type OnReadOptions,
    streamOptions,
} from './arguments.js'
import { Connector } from './connector.js'
import { type ConnectionInfo, connectionInfo } from './info.js'
import type { Server } from './server.js'
import type { SocketEvents, SocketOptions } from './socket-types.js'
import { Transport } from './transport.js'
import { type KeepAlive, Tuning } from './tuning.js'

type Listener<E extends keyof SocketEvents> = (...args: SocketEvents[E]) => void
// biome-ignore lint/suspicious/noExplicitAny: as Node's own declaration
type AnyListener = (...args: any[]) => void

export interface Socket {
    /** Calls the listener with each such event. */
    on<E extends keyof SocketEvents>(event: E, listener: Listener<E>): this
    /** An event of the program's own. */
    on(event: string | symbol, listener: AnyListener): this
    /** Calls the listener with the next such event only. */
    once<E extends keyof SocketEvents>(event: E, listener: Listener<E>): this
    /** An event of the program's own, once. */
    once(event: string | symbol, listener: AnyListener): this
    /** The same as on(). */
    addListener<E extends keyof SocketEvents>(event: E, listener: Listener<E>): this
    /** The same as on(). */
    addListener(event: string | symbol, listener: AnyListener): this
    /** As on(), in front of the listeners that are there. */
    prependListener<E extends keyof SocketEvents>(event: E, listener: Listener<E>): this
    /** As on(), in front of the listeners that are there. */
    prependListener(event: string | symbol, listener: AnyListener): this
    /** As once(), in front of the listeners that are there. */
    prependOnceListener<E extends keyof SocketEvents>(event: E, listener: Listener<E>): this
    /** As once(), in front of the listeners that are there. */
    prependOnceListener(event: string | symbol, listener: AnyListener): this
}

/** A TCP connection on our stack, with the interface of node:net's Socket. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: types of events only
export class Socket extends Transport {
    /** What setTimeout() was given last, milliseconds; undefined before. */
    timeout?: number
    /** The server that accepted it. (Others, such as http, put themselves here.) */
    server: Server | null = null
    /** @internal */
    _server: Server | null = null
    /** Whereto no connection is made: its option. */
    blockList: BlockListLike | undefined

    /** Node's own walk up from a TLS socket to what lies below, until there is none. */
    _parent: null = null

    /** 'address:port' of each attempt, when the addresses of a name were tried in turn. */
    declare autoSelectFamilyAttemptedAddresses: string[]

    #connector: Connector | undefined
    #peer: Address | undefined
    #name: Address | undefined
    #onread: OnReadOptions | undefined
    #signal: AbortSignal | undefined
    #tuning: Tuning
    #idleMs = 0
    /** Off, but still running: it is not told when it ends. */
    #restingTimer: NodeJS.Timeout | undefined

    /** Not connected yet, or over an open descriptor (`fd`, which it then owns and closes). Wrong options throw. */
    constructor(options: SocketOptions | number = {}) {
        const given: SocketOptions = typeof options === 'number' ? { fd: options } : { ...options }
        checkStreamMode(given as Record<string, unknown>)
        const tuning = new Tuning(given)
        checkSignal(given.signal || undefined)
        super(streamOptions(given as Record<string, unknown>))
        this.#tuning = tuning
        const { onread } = given
        if (onread && typeof onread === 'object' && typeof onread.callback === 'function') {
            if (!(onread.buffer instanceof Uint8Array) && typeof onread.buffer !== 'function')
                throw invalidType(
                    'options.onread.buffer',
                    'an instance of Uint8Array or a function',
                    onread.buffer,
                )
            this.#onread = onread
        }
        if (given.fd !== undefined && !given.server) this.#checkOpen(given.fd)
        if (given.server) this.server = this._server = given.server
        if (given.fd !== undefined) this.#adopt(given.fd, given.pauseOnCreate === true)
        this.blockList = checkBlockList('options.blockList', given.blockList)
        this.#signal = given.signal
        if (given.signal) addAbortSignal(given.signal, this)
    }

    #checkOpen(fd: number): void {
        checkDescriptor(fd)
        ensureRuntime()
        if (native.fcntl(fd, F_GETFL, 0) < 0)
            throw coded(TypeError, 'ERR_INVALID_FD_TYPE', 'Unsupported fd type: UNKNOWN')
    }

    #adopt(fd: number, paused: boolean): void {
        ensureRuntime()
        this._attachConnected(fd)
        this._prepare(fd)
        if (paused) this.pause()
        else if (this.readable) this.read(0)
    }

    // ---- connecting ---------------------------------------------------------------------------------

    /**
     * Connects, and calls the listener on 'connect'. What fails on the way comes as 'error' (code, syscall,
     * address, port), then 'close'; wrong arguments throw. A socket that was closed may connect again.
     */
    connect(options: SocketConnectOpts, listener?: () => void): this
    /** To a name or an address. */
    connect(port: number, host: string, listener?: () => void): this
    /** To `localhost`. */
    connect(port: number, listener?: () => void): this
    /** To a local socket of the kernel's. */
    connect(path: string, listener?: () => void): this
    connect(...args: unknown[]): this {
        const [form, listener] = formsOf(args)
        const options = form as ConnectOptions
        const port = this.#checkDestination(options)
        // Aborted before it began: its error and end are on their way.
        if (this.#signal?.aborted) return this
        const connector = new Connector(this, options, port)
        if (listener) this.once('connect', listener as () => void)
        if (this._fd >= 0) {
            const error = connectException(-EISCONN, 'connect', options.host, port)
            process.nextTick(() => this.destroy(error))
            return this
        }
        this.#startOver()
        this.#tuning.take(options)
        ensureRuntime()
        this.connecting = true
        this.#connector = connector
        this._refresh()
        connector.start()
        return this
    }

    /** The port to connect to; 0 if it goes to a path. */
    #checkDestination(options: ConnectOptions): number {
        const { path, port } = options
        if (path) {
            if (typeof path !== 'string') throw invalidType('options.path', 'of type string', path)
            return 0
        }
        if (port === undefined) throw missingArguments('options', 'port', 'path')
        if (typeof port !== 'number' && typeof port !== 'string')
            throw invalidType('options.port', 'one of type number or string', port)
        return validPort(port)
    }

    /** connect() on a socket that was used before: a new life with the same listeners. */
    #startOver(): void {
        if (this.destroyed || this._readableState.ended || this._writableState.ending) this._undestroy()
        this._eof = false
        this._input = false
        this._lost = false
        this.bytesRead = 0
        this._dispatched = 0
        this.#peer = undefined
        this.#name = undefined
    }

    /** @internal */
    _prepare(fd: number): void {
        this.#tuning.apply(fd)
    }

    /** @internal */
    _refresh(): void {
        if (this._idleTimer) this._idleTimer.refresh()
    }

    /** @internal */
    _connected(fd: number, token: number, scope: AsyncResource): void {
        this.scope = scope
        this._attach(fd, token)
        poller().pass(token, this)
        this.connecting = false
        this.#connector = undefined
        this._updateHold()
        this._watchInput()
        this._refresh()
        this.emit('connect')
        this.emit('ready')
        if (this._fd >= 0 && this.readable && !this.isPaused()) this.read(0)
    }

    protected override _onConnectReady(): void {
        // While connecting the events go to the connector.
    }

    /** @deprecated as in Node: connecting. */
    get _connecting(): boolean {
        return this.connecting
    }

    /** Node's parts take sockets with a handle for their own kind, and look inside. */
    get _handle(): null {
        return null
    }

    /** There is no connection: not yet, or not any more. */
    get pending(): boolean {
        return this._fd < 0 || this.connecting
    }

    /** Which directions are open. */
    get readyState(): NodeSocket['readyState'] {
        if (this.connecting) return 'opening'
        if (this.readable && this.writable) return 'open'
        if (this.readable) return 'readOnly'
        if (this.writable) return 'writeOnly'
        return 'closed'
    }

    // ---- reading ------------------------------------------------------------------------------------

    protected override _receive(): void {
        if (this.#onread) this.#receiveInto(this.#onread)
        else super._receive()
    }

    /** The onread option: into the user's own buffer, no stream between. */
    #receiveInto(onread: OnReadOptions): void {
        while (this._fd >= 0 && this._reading) {
            const buffer = typeof onread.buffer === 'function' ? onread.buffer() : onread.buffer
            const length = native.recv(this._fd, buffer, 0, buffer.length, 0)
            if (length <= 0) {
                this._receiveNothing(length)
                return
            }
            this.bytesRead += length
            if (this._idleTimer) this._idleTimer.refresh()
            if (onread.callback.call(this, length, buffer) === false) {
                this._reading = false
                this._updateHold()
            }
        }
    }

    override pause(): this {
        if (this.#onread && this._reading) {
            this._reading = false
            this._updateHold()
        }
        return super.pause()
    }

    override resume(): this {
        if (this.#onread && !this.connecting && this._fd >= 0) this._read(0)
        return super.resume()
    }

    // ---- settings -----------------------------------------------------------------------------------

    /**
     * Emits 'timeout' after so many milliseconds without traffic; 0 turns it off. It closes nothing. Throws
     * if it is no number from 0 to 2^32 - 1.
     */
    setTimeout(timeout: number, callback?: () => void): this {
        if (this.destroyed) return this
        this.timeout = timeout
        const ms = checkDuration('msecs', timeout)
        if (callback !== undefined) checkFunction('callback', callback)
        if (this._idleTimer !== undefined) {
            clearTimeout(this.#restingTimer)
            this.#restingTimer = this._idleTimer
            this._idleTimer = undefined
        }
        if (ms === 0) {
            if (callback) this.removeListener('timeout', callback)
        } else {
            this._idleTimer = this.#idleTimer(ms)
            if (callback) this.once('timeout', callback)
        }
        return this
    }

    /** The one that rests, if it is as long, or a new one: http turns it off and on with each request. */
    #idleTimer(ms: number): NodeJS.Timeout {
        const resting = this.#restingTimer
        this.#restingTimer = undefined
        if (resting !== undefined && ms === this.#idleMs) return resting.refresh()
        clearTimeout(resting)
        this.#idleMs = ms
        const timer = setTimeout(() => {
            if (timer === this._idleTimer) this._onTimeout()
            else if (timer === this.#restingTimer) this.#restingTimer = undefined
        }, ms).unref()
        return timer
    }

    /** @internal */
    _onTimeout(): void {
        // A big write that still moves is no idleness.
        if (this._writeProgress()) this._idleTimer?.refresh()
        else this.emit('timeout')
    }

    /** TCP_NODELAY: small writes leave at once. On from the start, unless `tcp.nodelay` is off. */
    setNoDelay(enable?: boolean): this {
        this.#tuning.setNoDelay(this._fd, enable === undefined ? true : Boolean(enable))
        return this
    }

    /** SO_KEEPALIVE. Delay and interval in milliseconds, of which whole seconds count; then how many probes. */
    setKeepAlive(enable?: boolean, initialDelay?: number, interval?: number, count?: number): this
    /** The same by names. */
    setKeepAlive(options: KeepAlive): this
    setKeepAlive(given?: boolean | KeepAlive, ...more: number[]): this {
        const [initialDelay = 0, interval, count] = more
        const wanted = { enable: Boolean(given), initialDelay, interval, count } as KeepAlive
        this.#tuning.setKeepAlive(this._fd, typeof given === 'object' && given !== null ? given : wanted)
        return this
    }

    /** IP_TOS or IPV6_TCLASS, 0 to 255: how packets are to be treated. */
    setTypeOfService(tos: number): this {
        this.#tuning.setTypeOfService(this._fd, tos)
        return this
    }

    /** IP_TOS or IPV6_TCLASS of the connection; before it what was set, or 0. */
    getTypeOfService(): number {
        return this.#tuning.typeOfService(this._fd)
    }

    /** Keeps the process alive again while it connects, reads or writes. */
    override ref(): this {
        this.#connector?.setReferenced(true)
        return super.ref()
    }

    /** Lets the process end although the socket is open. */
    override unref(): this {
        this.#connector?.setReferenced(false)
        return super.unref()
    }

    // ---- names and numbers --------------------------------------------------------------------------

    /** Our end: address, family, port. Empty without a connection. */
    address(): AddressInfo | Record<string, never> {
        const name = this.#localName()
        return name ? { address: name.address, family: name.family, port: name.port } : {}
    }

    #localName(): Address | undefined {
        if (!this.#name && this._fd >= 0 && native.getsockname(this._fd) === 0) this.#name = addressInWords()
        return this.#name
    }

    #peerName(): Address | undefined {
        if (!this.#peer && this._fd >= 0 && !this.connecting && native.getpeername(this._fd) === 0)
            this.#peer = addressInWords()
        return this.#peer
    }

    /** The peer's address; undefined without a connection (what was read once stays). */
    get remoteAddress(): string | undefined {
        return this.#peerName()?.address
    }

    /** IPv4 or IPv6. */
    get remoteFamily(): string | undefined {
        return this.#peerName()?.family
    }

    /** The peer's port. */
    get remotePort(): number | undefined {
        return this.#peerName()?.port
    }

    /** Our address of this connection. */
    get localAddress(): string | undefined {
        return this.#localName()?.address
    }

    /** IPv4 or IPv6. */
    get localFamily(): string | undefined {
        return this.#localName()?.family
    }

    /** Our port. */
    get localPort(): number | undefined {
        return this.#localName()?.port
    }

    /**
     * What TCP knows of the connection: round-trip time, windows, retransmissions; and where it is served. undefined
     * without one, and for local sockets. It asks the stack: some microseconds.
     */
    info(): ConnectionInfo | undefined {
        return this._fd >= 0 ? connectionInfo(this._fd) : undefined
    }

    /** Bytes given to write(), those in buffers included. */
    get bytesWritten(): number {
        // Asked of the prototype (by programs that look classes over) there is none.
        if (this._writableState === undefined) return undefined as unknown as number
        return this._dispatched + this._queuedBytes()
    }

    /** @deprecated as in Node: writableLength, bytes. */
    get bufferSize(): number {
        return this.writableLength
    }

    /** @internal */
    get _bytesDispatched(): number {
        return this._dispatched
    }

    // ---- the end ------------------------------------------------------------------------------------

    /** Ends the stream and destroys the socket when all is written. */
    destroySoon(): void {
        if (this.writable) this.end()
        if (this.writableFinished) this.destroy()
        else this.once('finish', this.destroy)
    }

    /** Ends the connection by a reset (RST): what is not sent yet is lost. ERR_SOCKET_CLOSED if there is none. */
    resetAndDestroy(): this {
        if (this.connecting) {
            this.once('connect', () => this.#reset())
        } else if (this._fd >= 0) {
            this.#reset()
        } else {
            this.destroy(coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed'))
        }
        return this
    }

    #reset(): void {
        this._abortive = true
        this.destroy()
    }

    /** @internal */
    override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
        const opened = this._fd >= 0 || this.#connector !== undefined
        this.connecting = false
        this.#connector?.cancel()
        this.#connector = undefined
        clearTimeout(this._idleTimer)
        clearTimeout(this.#restingTimer)
        this._idleTimer = this.#restingTimer = undefined
        if (opened) {
            const failed = this._closeDescriptor(() => this.emit('close', Boolean(error)))
            if (failed < 0) this.emit('error', errnoException(failed, 'reset'))
            done(error)
        } else {
            done(error)
            process.nextTick(() => this.emit('close'))
        }
        this._server?._forget()
        this._server = null
    }
}
