// SPDX-License-Identifier: Apache-2.0

import { AsyncResource } from 'node:async_hooks'
import type { BindOptions, SocketType } from 'node:dgram'
import { channel } from 'node:diagnostics_channel'
import dns from 'node:dns'
import { type AddressInfo, isIP } from 'node:net'
import { addressInWords } from '../address.js'
import { type BlockListLike, blocked, checkBlockList } from '../block-list.js'
import {
    AF_INET,
    AF_INET6,
    EPOLLET,
    EPOLLIN,
    EPOLLOUT,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOL_SOCKET,
} from '../constants.js'
import { coded, connectException, EAGAIN, EBADF, errnoException, invalidType, validPort } from '../errors.js'
import { native } from '../native.js'
import { type SocketInfo, socketInfo } from '../place.js'
import { poller, type Watched } from '../poller.js'
import { placeOf } from '../ring/held.js'
import { Ring, type RingOptions } from '../ring/ring.js'
import { ensureRuntime } from '../runtime.js'
import {
    checkBufferSize,
    checkNumber,
    checkString,
    type Data,
    isAddress,
    request,
    type Sent,
    sendRequest,
} from './arguments.js'
import { Receiver } from './receiving.js'
import { type Message, SendQueue } from './send-queue.js'
import { DatagramSettings } from './settings.js'
import type { DatagramEvents, DatagramOptions, OnDatagram } from './types.js'

type Listener<E extends keyof DatagramEvents> = (...args: DatagramEvents[E]) => void
// biome-ignore lint/suspicious/noExplicitAny: as Node's own declaration
type AnyListener = (...args: any[]) => void

export interface Socket {
    /** Calls the listener with each such event. */
    on<E extends keyof DatagramEvents>(event: E, listener: Listener<E>): this
    /** An event of the program's own. */
    on(event: string | symbol, listener: AnyListener): this
    /** Calls the listener with the next such event only. */
    once<E extends keyof DatagramEvents>(event: E, listener: Listener<E>): this
    /** An event of the program's own, once. */
    once(event: string | symbol, listener: AnyListener): this
}

/** The channel that node:dgram tells new sockets on. */
const newSockets = channel('udp.socket')
const systemLookup = dns.lookup

/** A UDP socket on our stack, with the interface of node:dgram's Socket. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: types of events only
export class Socket extends DatagramSettings implements Watched {
    /** 'udp4' or 'udp6'. */
    readonly type: SocketType
    /** @internal */
    readonly scope = new AsyncResource('PRONGHORN.UDP')
    #options: DatagramOptions
    #lookup: typeof dns.lookup | undefined
    #toBlocked: BlockListLike | undefined
    #token = -1
    #bound: 'no' | 'binding' | 'yes' = 'no'
    #connected: 'no' | 'connecting' | 'yes' = 'no'
    #closed = false
    #referenced = true
    #held = false
    /** Sends, connects and closes before the socket was bound. */
    #early: (() => void)[] | undefined
    #ring: Ring | undefined
    readonly #receiver: Receiver
    readonly #queue = new SendQueue({
        descriptor: () => this._fd,
        wantRoom: (wanted) =>
            poller().modify(this._fd, wanted ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLIN | EPOLLET, this.#token),
        failed: (error) => this.emit('error', error),
    })

    /** Not bound yet; the listener gets each message. Options of a wrong type throw. */
    constructor(type: SocketType | DatagramOptions, listener?: OnDatagram) {
        const options = (typeof type === 'object' && type !== null ? type : { type }) as DatagramOptions
        if (options.type !== 'udp4' && options.type !== 'udp6')
            throw coded(
                TypeError,
                'ERR_SOCKET_BAD_TYPE',
                'Bad socket type specified. Valid types are: udp4, udp6',
            )
        if (options.lookup !== undefined && typeof options.lookup !== 'function')
            throw invalidType('lookup', 'of type function', options.lookup)
        checkBufferSize('options.recvBufferSize', options.recvBufferSize)
        checkBufferSize('options.sendBufferSize', options.sendBufferSize)
        const fromBlocked = checkBlockList('options.receiveBlockList', options.receiveBlockList)
        const toBlocked = checkBlockList('options.sendBlockList', options.sendBlockList)
        super(options.type === 'udp6')
        this.#receiver = new Receiver(this, fromBlocked)
        this.#toBlocked = toBlocked
        this.type = options.type
        this.#options = options
        // One that somebody put in place of Node's own is asked for addresses, too, as Node does.
        const lookup = (options.lookup ?? dns.lookup) as typeof dns.lookup
        this.#lookup = lookup === systemLookup ? undefined : lookup
        ensureRuntime()
        if (typeof listener === 'function') this.on('message', listener)
        if (options.signal !== undefined) this.#watch(options.signal)
        if (newSockets.hasSubscribers) newSockets.publish({ socket: this })
    }

    #watch(signal: AbortSignal): void {
        if (signal === null || typeof signal !== 'object' || !('aborted' in signal))
            throw invalidType('options.signal', 'an instance of AbortSignal', signal)
        const abort = () => this.#closed || this.close()
        if (signal.aborted) {
            process.nextTick(abort)
            return
        }
        signal.addEventListener('abort', abort, { once: true })
        this.once('close', () => signal.removeEventListener('abort', abort))
    }

    // ---- opening ------------------------------------------------------------------------------------

    protected override _open(): void {
        if (this._fd >= 0) return
        const domain = this._six ? AF_INET6 : AF_INET
        const fd = native.socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
        if (fd < 0) throw errnoException(fd, 'socket')
        this._fd = fd
        const { recvBufferSize, sendBufferSize, ipv6Only, reuseAddr, reusePort } = this.#options
        if (this._six) native.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, +Boolean(ipv6Only))
        if (reuseAddr) native.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        if (reusePort) native.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1)
        if (recvBufferSize) this.setRecvBufferSize(recvBufferSize)
        if (sendBufferSize) this.setSendBufferSize(sendBufferSize)
    }

    /**
     * Binds, and calls the callback on 'listening'. No port or 0: a free one; no address: all. What fails comes
     * as 'error' (EADDRINUSE, ...); ERR_SOCKET_ALREADY_BOUND throws.
     */
    bind(port?: number, address?: string, callback?: () => void): this
    /** On all addresses. */
    bind(port?: number, callback?: () => void): this
    /** To a free port, on all addresses. */
    bind(callback?: () => void): this
    /** By names, or over an open descriptor (`fd`), which is the socket's from then on. */
    bind(options: BindOptions, callback?: () => void): this
    bind(...args: unknown[]): this {
        this._checkOpen()
        if (this.#bound !== 'no') throw coded(Error, 'ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound')
        const last = args[args.length - 1]
        if (typeof last === 'function') this.#onceListening(last as () => void)
        const first = args[0]
        const options = (typeof first === 'object' && first !== null ? first : {}) as BindOptions
        const port = typeof first === 'object' ? options.port : typeof first === 'function' ? 0 : first
        const address = typeof args[1] === 'string' ? args[1] : options.address
        this.#bound = 'binding'
        if (typeof options.fd === 'number' && options.fd >= 0) {
            this._fd = options.fd
            this.#watchDescriptor()
            return this
        }
        this.#resolve(address || (this._six ? '::' : '0.0.0.0'), (error, found) => {
            if (this.#closed) return
            if (error) this.#bindFailed(error)
            else this.#bindTo(found, Number(port) | 0)
        })
        return this
    }

    /** For this bind() alone: one that fails takes its callback with it. */
    #onceListening(callback: () => void): void {
        const forget = () => {
            this.removeListener('error', forget)
            this.removeListener('listening', listening)
        }
        const listening = () => {
            forget()
            callback.call(this)
        }
        this.on('error', forget)
        this.on('listening', listening)
    }

    #bindFailed(error: Error): void {
        this.#bound = 'no'
        // What waited for it is lost, as in Node; its senders learn by the error event.
        this.#early = undefined
        this.emit('error', error)
    }

    #bindTo(address: string, port: number): void {
        try {
            this._open()
        } catch (error) {
            this.#bindFailed(error as Error)
            return
        }
        const result = native.bind(this._fd, address, port)
        if (result < 0) this.#bindFailed(connectException(result, 'bind', address, port))
        else this.#watchDescriptor()
    }

    #watchDescriptor(): void {
        this.#token = poller().add(this._fd, EPOLLIN | EPOLLET, this)
        if (this.#token < 0) {
            this.#bindFailed(errnoException(this.#token, 'epoll_ctl'))
            return
        }
        this.#bound = 'yes'
        this.#updateHold()
        this.emit('listening')
        const early = this.#early ?? []
        this.#early = undefined
        for (const go of early) go()
    }

    /** Name to address by Node's resolver, in a later turn as Node does; addresses go through as they are. */
    #resolve(host: string, found: (error: Error | null, address: string) => void): void {
        if (!this.#lookup && isIP(host) !== 0) {
            process.nextTick(found, null, host)
            return
        }
        const lookup = this.#lookup ?? dns.lookup
        lookup(host, this._six ? 6 : 4, (error, address) => found(error, address))
    }

    /** Only speaks to this peer from now on. The callback gets the error, if any; without one it comes as 'error'. */
    connect(port: number, address?: string | (() => void), callback?: () => void): void {
        const number = validPort(port, 'Port', false)
        const done = typeof address === 'function' ? address : callback
        const host = typeof address === 'string' && address ? address : this._six ? '::1' : '127.0.0.1'
        this._checkOpen()
        if (this.#connected !== 'no') throw coded(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
        this.#connected = 'connecting'
        if (done) this.once('connect', done)
        this.#whenBound(() =>
            this.#resolve(host, (error, found) => this.#connectTo(error, found, number, done)),
        )
    }

    #connectTo(error: Error | null, address: string, port: number, done: (() => void) | undefined): void {
        if (this.#closed) return
        const refused = error ?? blocked(this.#toBlocked, address)
        const result = refused ? 0 : native.connect(this._fd, address, port)
        if (!refused && result >= 0) {
            this.#connected = 'yes'
            this.emit('connect')
            return
        }
        this.#connected = 'no'
        if (done) this.off('connect', done)
        const why = refused ?? connectException(result, 'connect', address, port)
        if (done) (done as (error: Error) => void)(why)
        else this.emit('error', why)
    }

    /** Speaks to all again. ERR_SOCKET_DGRAM_NOT_CONNECTED throws. */
    disconnect(): void {
        if (this.#connected !== 'yes') throw coded(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected')
        // An empty name is connect(2)'s AF_UNSPEC.
        const result = native.connect(this._fd, '', 0)
        if (result < 0) throw errnoException(result, 'connect')
        this.#connected = 'no'
    }

    protected override _ensureBound(): void {
        if (this.#bound === 'no') this.bind(0)
    }

    #whenBound(go: () => void): void {
        this._ensureBound()
        if (this.#bound === 'yes') {
            go()
            return
        }
        this.#early ??= []
        this.#early.push(go)
    }

    // ---- receiving ----------------------------------------------------------------------------------

    /** @internal */
    onReady(events: number): void {
        if (events & EPOLLOUT) this.#queue.flush()
        if (this.#ring) {
            this.#ring.onReady(events)
            return
        }
        if (this._fd < 0) return
        let why = 0
        try {
            why = this.#receiver.receive(this._fd)
            if (why < 0 && why !== -EAGAIN && this._fd >= 0)
                this.emit('error', errnoException(why, 'recvmsg'))
        } finally {
            // Also if a listener threw: what it left would wait for the next datagram.
            if (why !== -EAGAIN && this._fd >= 0) poller().again(this)
        }
    }

    /** Datagrams are received in place from now on, instead of as 'message' events. For bound sockets. */
    ring(options: RingOptions = {}): Ring {
        this._checkOpen()
        const taken = this.#ring !== undefined && !this.#ring.closed
        if (taken || this.#bound !== 'yes')
            throw coded(
                Error,
                'ERR_PRONGHORN_RING',
                taken ? 'the socket has a ring already' : 'bind the socket first',
            )
        const onRingEnd = (result: number | Error) => {
            if (result !== 0)
                this.emit('error', result instanceof Error ? result : errnoException(result, 'recvmsg'))
            return true
        }
        this.#ring = new Ring(this._fd, options, placeOf(this.ring), { onRingEnd })
        return this.#ring
    }

    /** @internal */
    onStop(): void {
        if (!this.#closed) this.close()
    }

    // ---- sending ------------------------------------------------------------------------------------

    /**
     * Sends a datagram, of one piece or several. It may be copied later: do not change it before the callback,
     * which gets the error, if any, and its bytes; without one an error comes as 'error'. Wrong arguments throw.
     */
    send(data: Data | readonly Data[], port?: number, address?: string, callback?: Sent): void
    /** To this host. */
    send(data: Data | readonly Data[], port?: number, callback?: Sent): void
    /** To the peer that it is connected to. */
    send(data: Data | readonly Data[], callback?: Sent): void
    /** `length` bytes of it from `offset` on. */
    send(data: Data, offset: number, length: number, port?: number, address?: string, callback?: Sent): void
    /** `length` bytes of it from `offset` on, to this host. */
    send(data: Data, offset: number, length: number, port?: number, callback?: Sent): void
    /** `length` bytes of it from `offset` on, to the peer that it is connected to. */
    send(data: Data, offset: number, length: number, callback?: Sent): void
    send(data: unknown, a?: unknown, b?: unknown, c?: unknown, d?: unknown, e?: unknown): void {
        const connected = this.#connected === 'yes'
        const bytes = sendRequest(data, a, b, c, d, e, connected)
        // The request is the next caller's: what a lookup or an error's listener sends, say.
        const { port, address, done } = request
        const number = connected ? 0 : validPort(port, 'Port', false)
        this._checkOpen()
        if (connected) {
            this.#queue.send(bytes, undefined, 0, done)
            return
        }
        const host = (address as string | undefined) || (this._six ? '::1' : '127.0.0.1')
        const known = this.#bound === 'yes' && !this.#lookup && isAddress(host)
        if (known && !this.#toBlocked) this.#queue.send(bytes, host, number, done)
        else this.#whenBound(() => this.#transmitTo({ bytes, address: host, port: number, done }))
    }

    /** @deprecated as in Node: send(). */
    sendto(data: Data, offset: number, length: number, port: number, address: string, callback?: Sent): void {
        checkNumber('offset', offset)
        checkNumber('length', length)
        checkNumber('port', port)
        checkString('address', address)
        this.send(data, offset, length, port, address, callback)
    }

    #transmitTo(message: Message): void {
        this.#resolve(message.address as string, (error, address) => {
            if (this._fd < 0) return
            const refused = error ? undefined : blocked(this.#toBlocked, address)
            if (refused) {
                // Nobody but the callback is told, as in Node.
                if (message.done) process.nextTick(message.done, refused)
            } else if (!error) this.#queue.send(message.bytes, address, message.port, message.done)
            else if (message.done) message.done(error, 0)
            else this.emit('error', error)
        })
    }

    /** Bytes that wait for room in the socket. */
    getSendQueueSize(): number {
        return this.#queue.bytes
    }

    /** Datagrams that wait for room in the socket. */
    getSendQueueCount(): number {
        return this.#queue.count
    }

    /** Our end. EBADF throws if it is not bound. */
    address(): AddressInfo {
        this._checkOpen()
        const result = this._fd < 0 ? -EBADF : native.getsockname(this._fd)
        if (result < 0) throw errnoException(result, 'getsockname')
        return addressInWords() as AddressInfo
    }

    /** The peer that it is connected to. ERR_SOCKET_DGRAM_NOT_CONNECTED throws. */
    remoteAddress(): AddressInfo {
        this._checkOpen()
        if (this.#connected !== 'yes') throw coded(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected')
        const result = native.getpeername(this._fd)
        if (result < 0) throw errnoException(result, 'getpeername')
        return addressInWords() as AddressInfo
    }

    /** Where it is served, and the sizes of its buffers. undefined before bind() and after close(). */
    info(): SocketInfo | undefined {
        return this._fd >= 0 ? socketInfo(this._fd) : undefined
    }

    // ---- life ---------------------------------------------------------------------------------------

    protected override _checkOpen(): void {
        if (this.#closed) throw coded(Error, 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running')
    }

    /** Closes it when what was sent before bind() is gone; 'close' follows. ERR_SOCKET_DGRAM_NOT_RUNNING throws. */
    close(callback?: () => void): this {
        if (typeof callback === 'function') this.on('close', callback)
        if (this.#early) {
            // What was sent before goes out first.
            this.#early.push(() => this.close())
            return this
        }
        this._checkOpen()
        this.#closed = true
        if (this._fd >= 0) {
            this.#ring?.close()
            if (this.#token >= 0) poller().release(this.#token)
            native.close(this._fd)
        }
        this._fd = -1
        this.#token = -1
        this.#receiver.drop()
        this.#queue.drop()
        this.#updateHold()
        process.nextTick(() => this.emit('close'))
        return this
    }

    /** `await using socket = ...`: close(), and waits for it. */
    [Symbol.asyncDispose](): Promise<void> {
        return new Promise((resolve) => {
            if (this.#closed) resolve()
            else this.close(resolve)
        })
    }

    /** Keeps the process alive again while it is bound. */
    ref(): this {
        this.#referenced = true
        this.#updateHold()
        return this
    }

    /** Lets the process end although it is bound. */
    unref(): this {
        this.#referenced = false
        this.#updateHold()
        return this
    }

    #updateHold(): void {
        const hold = this.#referenced && this._fd >= 0 && this.#bound === 'yes'
        if (hold === this.#held) return
        this.#held = hold
        poller().hold(hold ? 1 : -1)
    }
}
