// SPDX-License-Identifier: Apache-2.0

import type { BindOptions, RemoteInfo, SocketOptions, SocketType } from 'node:dgram'
import { lookup as dnsLookup } from 'node:dns'
import { type AddressInfo, isIP } from 'node:net'
import { markAsUntransferable } from 'node:worker_threads'
import { addressInWords } from '../address.js'
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
import {
    coded,
    connectException,
    EAGAIN,
    errnoException,
    invalidType,
    missingArguments,
    validPort,
} from '../errors.js'
import { native } from '../native.js'
import { poller, type Watched } from '../poller.js'
import { placeOf } from '../ring/held.js'
import { Ring, type RingOptions } from '../ring/ring.js'
import { ensureRuntime } from '../runtime.js'
import { DatagramSettings } from './settings.js'

export interface DatagramOptions extends SocketOptions {
    reusePort?: boolean
}

type Sent = (error: Error | null, bytes: number) => void
type Data = string | NodeJS.ArrayBufferView

interface Waiting {
    bytes: Uint8Array
    address: string | undefined
    port: number
    done: Sent | undefined
}

interface DatagramEvents {
    close: []
    connect: []
    error: [error: Error]
    listening: []
    message: [message: Buffer, from: RemoteInfo]
}

type Listener<E extends keyof DatagramEvents> = (...args: DatagramEvents[E]) => void
// biome-ignore lint/suspicious/noExplicitAny: as Node's own declaration
type AnyListener = (...args: any[]) => void

export interface Socket {
    on<E extends keyof DatagramEvents>(event: E, listener: Listener<E>): this
    on(event: string | symbol, listener: AnyListener): this
    once<E extends keyof DatagramEvents>(event: E, listener: Listener<E>): this
    once(event: string | symbol, listener: AnyListener): this
}

/** The longest datagram; a shorter rest of the receive buffer might cut one off. */
const DATAGRAM_BYTES = 65536
const BUFFER_BYTES = 4 * DATAGRAM_BYTES
const READS_PER_EVENT = 64

/** A UDP socket on our stack, with the interface of node:dgram's Socket. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: types of events only
export class Socket extends DatagramSettings implements Watched {
    readonly type: SocketType
    #options: DatagramOptions
    #token = -1
    #bound: 'no' | 'binding' | 'yes' = 'no'
    #connected: 'no' | 'connecting' | 'yes' = 'no'
    #closed = false
    #referenced = true
    #held = false
    #memory = Buffer.alloc(0)
    #offset = 0
    #waiting: Waiting[] = []
    #ring: Ring | undefined

    constructor(type: SocketType | DatagramOptions, listener?: (message: Buffer, from: RemoteInfo) => void) {
        const options: DatagramOptions = typeof type === 'string' ? { type } : type
        if (options?.type !== 'udp4' && options?.type !== 'udp6')
            throw coded(
                TypeError,
                'ERR_SOCKET_BAD_TYPE',
                'Bad socket type specified. Valid types are: udp4, udp6',
            )
        if (options.lookup !== undefined && typeof options.lookup !== 'function')
            throw invalidType('lookup', 'of type function', options.lookup)
        super(options.type === 'udp6')
        this.type = options.type
        this.#options = options
        ensureRuntime()
        if (listener) this.on('message', listener)
        const { signal } = options
        if (signal?.aborted) process.nextTick(() => this.#closed || this.close())
        else signal?.addEventListener('abort', () => this.#closed || this.close(), { once: true })
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

    bind(port?: number, address?: string, callback?: () => void): this
    bind(port?: number, callback?: () => void): this
    bind(callback?: () => void): this
    bind(options: BindOptions, callback?: () => void): this
    bind(...args: unknown[]): this {
        this._checkOpen()
        if (this.#bound !== 'no') throw coded(Error, 'ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound')
        const last = args[args.length - 1]
        if (typeof last === 'function') this.once('listening', last as () => void)
        const first = args[0]
        const options = (typeof first === 'object' && first !== null ? first : {}) as BindOptions
        const port = typeof first === 'number' ? first : (options.port ?? 0)
        const address = typeof args[1] === 'string' ? args[1] : options.address
        this.#bound = 'binding'
        this.#resolve(address || (this._six ? '::' : '0.0.0.0'), (error, found) => {
            if (this.#closed) return
            if (error) {
                this.#bound = 'no'
                this.emit('error', error)
            } else {
                this.#bindTo(found, validPort(port))
            }
        })
        return this
    }

    #bindTo(address: string, port: number): void {
        try {
            this._open()
        } catch (error) {
            this.#bound = 'no'
            this.emit('error', error)
            return
        }
        const result = native.bind(this._fd, address, port)
        if (result < 0) {
            this.#bound = 'no'
            this.emit('error', connectException(result, 'bind', address, port))
            return
        }
        this.#token = poller().add(this._fd, EPOLLIN | EPOLLET, this)
        if (this.#token < 0) {
            this.emit('error', errnoException(this.#token, 'epoll_ctl'))
            return
        }
        this.#bound = 'yes'
        this.#updateHold()
        this.emit('listening')
    }

    /** Name to address by Node's resolver, in a later turn as Node does; addresses go through as they are. */
    #resolve(host: string, found: (error: Error | null, address: string) => void): void {
        if (isIP(host) !== 0 && !this.#options.lookup) {
            process.nextTick(found, null, host)
            return
        }
        const lookup = (this.#options.lookup ?? dnsLookup) as typeof dnsLookup
        lookup(host, { family: this._six ? 6 : 4 }, (error, address) => found(error, address as string))
    }

    connect(port: number, address?: string | (() => void), callback?: () => void): void {
        this._checkOpen()
        const done = typeof address === 'function' ? address : callback
        const host = typeof address === 'string' && address ? address : this._six ? '::1' : '127.0.0.1'
        const number = validPort(port)
        if (this.#connected !== 'no') throw coded(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
        this.#connected = 'connecting'
        if (done) this.once('connect', done)
        this.#whenBound(() =>
            this.#resolve(host, (error, found) => {
                if (this.#closed) return
                const result = error ? 0 : native.connect(this._fd, found, number)
                if (error || result < 0) {
                    this.#connected = 'no'
                    if (done) this.off('connect', done)
                    const why = error ?? connectException(result, 'connect', found, number)
                    if (done) (done as (error: Error) => void)(why)
                    else this.emit('error', why)
                    return
                }
                this.#connected = 'yes'
                this.emit('connect')
            }),
        )
    }

    disconnect(): void {
        if (this.#connected !== 'yes') throw coded(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected')
        // An empty name is connect(2)'s AF_UNSPEC.
        const result = native.connect(this._fd, '', 0)
        if (result < 0) throw errnoException(result, 'connect')
        this.#connected = 'no'
    }

    protected override _ensureBound(): void {
        if (this.#bound === 'no') this.bind()
    }

    #whenBound(go: () => void): void {
        this._ensureBound()
        if (this.#bound === 'yes') go()
        else this.once('listening', go)
    }

    // ---- receiving ----------------------------------------------------------------------------------

    onReady(events: number): void {
        if (events & EPOLLOUT && this.#waiting.length > 0) this.#flush()
        if (this.#ring) {
            this.#ring.onReady(events)
            return
        }
        for (let reads = 0; reads < READS_PER_EVENT; reads++) {
            if (this._fd < 0) return
            if (BUFFER_BYTES - this.#offset < DATAGRAM_BYTES || this.#memory.length === 0) this.#renew()
            const room = this.#memory.length - this.#offset
            const length = native.recvfrom(this._fd, this.#memory, this.#offset, room, 0)
            if (length === -EAGAIN) return
            if (length < 0) {
                this.emit('error', errnoException(length, 'recvmsg'))
                continue
            }
            const from = addressInWords() as RemoteInfo
            from.size = length
            const start = this.#offset
            this.#offset = (start + length + 7) & ~7
            this.emit('message', this.#memory.subarray(start, start + length), from)
        }
        poller().again(this)
    }

    /** Datagrams are received in place from now on, instead of as 'message' events. For bound sockets. */
    ring(options: RingOptions = {}): Ring {
        this._checkOpen()
        if (this.#ring || this.#bound !== 'yes')
            throw coded(
                Error,
                'ERR_PRONGHORN_RING',
                this.#ring ? 'the socket has a ring already' : 'bind the socket first',
            )
        const onRingEnd = (result: number | Error) => {
            if (result !== 0)
                this.emit('error', result instanceof Error ? result : errnoException(result, 'recvmsg'))
            return true
        }
        this.#ring = new Ring(this._fd, options, placeOf(this.ring), { onRingEnd })
        return this.#ring
    }

    onStop(): void {
        if (!this.#closed) this.close()
    }

    #renew(): void {
        this.#memory = Buffer.allocUnsafeSlow(BUFFER_BYTES)
        markAsUntransferable(this.#memory.buffer)
        this.#offset = 0
    }

    // ---- sending ------------------------------------------------------------------------------------

    send(data: Data | readonly Data[], port?: number, address?: string, callback?: Sent): void
    send(data: Data | readonly Data[], port?: number, callback?: Sent): void
    send(data: Data | readonly Data[], callback?: Sent): void
    send(data: Data, offset: number, length: number, port?: number, address?: string, callback?: Sent): void
    send(data: Data, offset: number, length: number, port?: number, callback?: Sent): void
    send(data: Data, offset: number, length: number, callback?: Sent): void
    send(data: Data | readonly Data[], ...rest: unknown[]): void {
        this._checkOpen()
        const done = typeof rest[rest.length - 1] === 'function' ? (rest.pop() as Sent) : undefined
        while (rest.length > 0 && rest[rest.length - 1] === undefined) rest.pop()
        const sliced =
            typeof rest[0] === 'number' &&
            typeof rest[1] === 'number' &&
            (this.#connected === 'yes' || rest.length > 2)
        let bytes = bytesOf(data)
        if (sliced) {
            const [offset, length] = rest.splice(0, 2) as [number, number]
            if (offset > bytes.length || offset + length > bytes.length)
                throw coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', '"length" is outside of buffer bounds')
            bytes = bytes.subarray(offset, offset + length)
        }
        if (this.#connected === 'yes') {
            // As Node's: without a slice, what follows the data is not looked at.
            if (sliced && rest.length > 0)
                throw coded(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
            this.#transmit({ bytes, address: undefined, port: 0, done })
            return
        }
        if (rest.length === 0) throw missingArguments('port')
        const port = validPort(rest[0], 'Port', false)
        const host = (rest[1] as string | undefined) || (this._six ? '::1' : '127.0.0.1')
        if (typeof host !== 'string') throw invalidType('address', 'of type string', host)
        const message = { bytes, address: host, port, done }
        if (this.#bound === 'yes' && isIP(host) !== 0 && !this.#options.lookup) this.#transmit(message)
        else this.#whenBound(() => this.#transmitTo(message))
    }

    #transmitTo(message: Waiting): void {
        this.#resolve(message.address as string, (error, address) => {
            if (this._fd < 0) return
            if (!error) this.#transmit({ ...message, address })
            else if (message.done) message.done(error, 0)
            else this.emit('error', error)
        })
    }

    #transmit(message: Waiting): void {
        if (this.#waiting.length > 0 || !this.#sendNow(message)) {
            // The caller may use its memory again when the callback has run, not before.
            this.#waiting.push(message)
            if (this.#waiting.length === 1)
                poller().modify(this._fd, EPOLLIN | EPOLLOUT | EPOLLET, this.#token)
            this.#updateHold()
        }
    }

    /** Whether it is done with. */
    #sendNow({ bytes, address, port, done }: Waiting): boolean {
        const result =
            address === undefined
                ? native.send(this._fd, bytes, 0, bytes.length, 0)
                : native.sendto(this._fd, bytes, 0, bytes.length, 0, address, port)
        if (result === -EAGAIN) return false
        const error = result < 0 ? connectException(result, 'send', address, port) : null
        if (done) process.nextTick(done, error, error ? 0 : result)
        else if (error) process.nextTick(() => this.emit('error', error))
        return true
    }

    #flush(): void {
        while (this.#waiting.length > 0 && this.#sendNow(this.#waiting[0] as Waiting)) this.#waiting.shift()
        if (this.#waiting.length === 0) poller().modify(this._fd, EPOLLIN | EPOLLET, this.#token)
        this.#updateHold()
    }

    getSendQueueSize(): number {
        return this.#waiting.reduce((sum, { bytes }) => sum + bytes.length, 0)
    }

    getSendQueueCount(): number {
        return this.#waiting.length
    }

    address(): AddressInfo {
        this._checkOpen()
        const result = native.getsockname(this._fd)
        if (result < 0) throw errnoException(result, 'getsockname')
        return addressInWords() as AddressInfo
    }

    remoteAddress(): AddressInfo {
        this._checkOpen()
        if (this.#connected !== 'yes') throw coded(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected')
        const result = native.getpeername(this._fd)
        if (result < 0) throw errnoException(result, 'getpeername')
        return addressInWords() as AddressInfo
    }

    // ---- life ---------------------------------------------------------------------------------------

    protected override _checkOpen(): void {
        if (this.#closed) throw coded(Error, 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running')
    }

    close(callback?: () => void): this {
        this._checkOpen()
        if (typeof callback === 'function') this.on('close', callback)
        this.#closed = true
        if (this._fd >= 0) {
            this.#ring?.close()
            if (this.#token >= 0) poller().release(this.#token)
            native.close(this._fd)
        }
        this._fd = -1
        this.#token = -1
        this.#waiting = []
        this.#updateHold()
        process.nextTick(() => this.emit('close'))
        return this
    }

    [Symbol.asyncDispose](): Promise<void> {
        return new Promise((resolve) => {
            if (this.#closed) resolve()
            else this.close(resolve)
        })
    }

    ref(): this {
        this.#referenced = true
        this.#updateHold()
        return this
    }

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

function bytesOf(data: Data | readonly Data[]): Uint8Array {
    if (typeof data === 'string') return Buffer.from(data)
    if (data instanceof Uint8Array) return data
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    if (Array.isArray(data)) return Buffer.concat(data.map(bytesOf))
    throw invalidType('buffer', 'of type string or an instance of Buffer, TypedArray, or DataView', data)
}
