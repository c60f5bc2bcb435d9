// SPDX-License-Identifier: Apache-2.0

import { AsyncResource } from 'node:async_hooks'
import dns, { ADDRCONFIG } from 'node:dns'
import { isIP } from 'node:net'
import { addressInWords } from '../address.js'
import { type BlockListLike, blocked } from '../block-list.js'
import {
    AF_INET,
    AF_INET6,
    AF_UNIX,
    EPOLLET,
    EPOLLIN,
    EPOLLOUT,
    EPOLLRDHUP,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_ERROR,
    SO_REUSEADDR,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
} from '../constants.js'
import {
    coded,
    connectException,
    EADDRNOTAVAIL,
    EALREADY,
    ECONNREFUSED,
    EINPROGRESS,
    ETIMEDOUT,
    invalidType,
    type SystemError,
} from '../errors.js'
import { native, PORT_OF_PATH, words } from '../native.js'
import { poller, type Watched } from '../poller.js'
import { type ConnectOptions, checkFunction } from './arguments.js'
import { autoSelectFamily, type Chosen } from './auto-select-family.js'

const NODE_MAJOR = Number.parseInt(process.versions.node, 10)

/** In place of 4 or 6: the address is a path. */
const LOCAL = 1
const DOMAIN_OF: Record<number, number> = { 4: AF_INET, 6: AF_INET6, [LOCAL]: AF_UNIX }

interface Found {
    address: string
    family: number
}

/** Also 'IPv4' and 'IPv6', as address() and the resolver give them. */
function familyOf(family: unknown): number | undefined {
    return family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : (family as number | undefined)
}

/** What a connector needs of the socket that it connects. */
export interface Connecting {
    readonly connecting: boolean
    /** Whereto no connection is made. */
    readonly blockList: BlockListLike | undefined
    autoSelectFamilyAttemptedAddresses: string[]
    emit(event: string, ...args: unknown[]): boolean
    destroy(error?: Error): unknown
    /** A descriptor was opened: apply what was set before. */
    _prepare(fd: number): void
    /** Something happened: its idle time begins anew. */
    _refresh(): void
    /** The connection is up on this descriptor. */
    _connected(fd: number, token: number, scope: AsyncResource): void
}

/**
 * Finds the addresses of a name and tries them, one descriptor each: one alone, or with
 * autoSelectFamily one after the other, the next when the one before failed or took too long.
 */
export class Connector implements Watched {
    readonly scope = new AsyncResource('PRONGHORN.SOCKET')
    #socket: Connecting
    #options: ConnectOptions
    #wanted: Chosen = { enabled: false, timeout: 0 }
    #fd = -1
    #token = -1
    #port: number
    #candidates: Found[] = []
    #current: Found | undefined
    #errors: Error[] = []
    #timer: NodeJS.Timeout | undefined
    #alone = true
    #held = false
    #referenced = true

    constructor(socket: Connecting, options: ConnectOptions, port: number) {
        this.#socket = socket
        this.#options = options
        this.#port = port
    }

    start(): void {
        const options = this.#options
        if (options.path) {
            this.#tryAlone({ address: options.path, family: LOCAL })
            return
        }
        const host = options.host || 'localhost'
        // (Before 22 its resolver says it, of a "hostname".)
        if (NODE_MAJOR >= 22 && typeof host !== 'string')
            throw invalidType('options.host', 'of type string', host)
        const { localAddress, localPort } = options
        if (localAddress && !isIP(localAddress))
            throw coded(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${localAddress}`)
        if (localPort && typeof localPort !== 'number')
            throw invalidType('options.localPort', 'of type number', localPort)
        this.#wanted = autoSelectFamily(options)
        const family = isIP(host)
        if (family !== 0) {
            process.nextTick(() => {
                if (this.#socket.connecting) this.#tryAlone({ address: host, family })
            })
            return
        }
        if (options.lookup !== undefined && options.lookup !== null)
            checkFunction('options.lookup', options.lookup)
        this.#lookup(host)
    }

    #lookup(host: string): void {
        const options = this.#options
        const family = familyOf(options.family)
        const one = family === 4 || family === 6
        const all = this.#wanted.enabled && !one && !options.localAddress
        const hints = options.hints || (one ? 0 : ADDRCONFIG)
        const find = (options.lookup ?? dns.lookup) as (
            host: string,
            options: object,
            done: (error: NodeJS.ErrnoException | null, found: string | Found[], family?: number) => void,
        ) => void
        find(host, { family, hints, ...(all ? { all } : {}) }, (error, found, family) => {
            if (all && !this.#socket.connecting) return
            const list: Found[] = Array.isArray(found)
                ? found
                : [{ address: found, family: family as number }]
            if (!all || error) {
                this.#socket.emit('lookup', error, list[0]?.address, list[0]?.family, host)
                if (!this.#socket.connecting) return
            } else {
                for (const one of list) {
                    this.#socket.emit('lookup', error, one.address, one.family, host)
                    if (!this.#socket.connecting) return
                }
            }
            if (error) process.nextTick(() => this.#socket.destroy(error))
            else this.#found(list, host, all)
        })
    }

    #found(list: Found[], host: string, all: boolean): void {
        const usable = list.filter(
            ({ address, family }, i) =>
                isIP(address) !== 0 &&
                (family === 4 || family === 6) &&
                list.findIndex((one) => one.address === address) === i,
        )
        const first = list[0]
        if (first === undefined || usable.length === 0) {
            const bad =
                first === undefined || isIP(first.address) === 0
                    ? coded(TypeError, 'ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${first?.address}`)
                    : Object.assign(
                          coded(
                              RangeError,
                              'ERR_INVALID_ADDRESS_FAMILY',
                              `Invalid address family: ${first.family} ${host}:${this.#port}`,
                          ),
                          { host, port: this.#port },
                      )
            process.nextTick(() => this.#socket.destroy(bad))
            return
        }
        this.#socket._refresh()
        if (!all || usable.length === 1) {
            this.#tryAlone(usable[0] as Found)
            return
        }
        // RFC 8305: the families take turns, the resolver's first choice first.
        const same = usable.filter(({ family }) => family === usable[0]?.family)
        const other = usable.filter(({ family }) => family !== usable[0]?.family)
        for (let i = 0; i < Math.max(same.length, other.length); i++)
            this.#candidates.push(...([same[i], other[i]].filter(Boolean) as Found[]))
        this.#alone = false
        this.#socket.autoSelectFamilyAttemptedAddresses = []
        this.#tryNext()
    }

    #tryAlone(to: Found): void {
        this.#alone = true
        this.#attempt(to)
    }

    #tryNext(): void {
        const next = this.#candidates.shift()
        if (next === undefined) {
            const first = this.#errors[0] as SystemError
            this.#socket.destroy(Object.assign(new AggregateError(this.#errors), { code: first.code }))
            return
        }
        this.#attempt(next)
    }

    #attempt(to: Found): void {
        this.#current = to
        const refused = to.family === LOCAL ? undefined : blocked(this.#socket.blockList, to.address)
        if (refused && !this.#alone) {
            this.#failed(refused, true)
            return
        }
        const unbound = this.#open(to)
        if (unbound) {
            this.#next(unbound)
            return
        }
        this.#emit('connectionAttempt')
        if (!this.#socket.connecting) return
        if (refused) {
            this.#failed(refused, true)
            return
        }
        if (!this.#alone) this.#socket.autoSelectFamilyAttemptedAddresses.push(`${to.address}:${this.#port}`)
        this.#connect(to)
    }

    /** Opens a descriptor for the attempt; an error if it cannot have its local end. */
    #open(to: Found): Error | undefined {
        const { localAddress, localPort } = this.#options
        const fd = native.socket(
            DOMAIN_OF[to.family] as number,
            SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
            0,
        )
        if (fd < 0) return connectException(fd, 'connect', to.address, this.#port)
        this.#fd = fd
        this.#socket._prepare(fd)
        if (to.family === LOCAL || !(localAddress || localPort)) return undefined
        const local = localAddress || (to.family === 6 ? '::' : '0.0.0.0')
        if (to.family === 6) native.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)
        native.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1) // as libuv
        const bound = native.bind(fd, local, localPort || 0)
        return bound < 0 ? connectException(bound, 'bind', local, localPort) : undefined
    }

    /** Sends it off. */
    #connect(to: Found): void {
        const fd = this.#fd
        const local = to.family === LOCAL
        const result = native.connect(fd, to.address, local ? PORT_OF_PATH : this.#port)
        if (result < 0 && result !== -EINPROGRESS && result !== -EALREADY) {
            const error = this.#error(result)
            // What libuv hands out later, as an answer.
            if (local || result === -ECONNREFUSED || result === -EADDRNOTAVAIL)
                process.nextTick(() => this.#socket.connecting && this.#failed(error, false))
            else this.#failed(error, true)
            return
        }
        this.#token = poller().add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, this)
        if (this.#token < 0) {
            this.#failed(connectException(this.#token, 'epoll_ctl'), true)
            return
        }
        this.#updateHold()
        if (this.#candidates.length > 0)
            this.#timer = setTimeout(() => this.#tookTooLong(to), this.#wanted.timeout)
    }

    /** One of the events of an attempt. A path has neither port nor family. */
    #emit(event: string, ...more: unknown[]): void {
        const { address, family } = this.#current as Found
        const names = family === LOCAL ? [undefined, undefined] : [this.#port, family]
        this.#socket.emit(event, address, ...names, ...more)
    }

    #tookTooLong(to: Found): void {
        this.#emit('connectionAttemptTimeout')
        this.#close()
        this.#errors.push(connectException(-ETIMEDOUT, 'connect', to.address, this.#port))
        if (this.#socket.connecting) this.#tryNext()
    }

    onReady(): void {
        const fd = this.#fd
        let result = native.getsockopt(fd, SOL_SOCKET, SO_ERROR)
        if (result === 0) result = -(words[0] as number)
        if (result < 0) {
            this.#failed(this.#error(result), false)
            return
        }
        const token = this.#token
        this.#fd = -1
        this.#token = -1
        clearTimeout(this.#timer)
        try {
            this.#socket._connected(fd, token, this.scope)
        } finally {
            this.#updateHold()
        }
    }

    onStop(): void {
        this.#socket.destroy()
    }

    #error(result: number): Error {
        const { localAddress, localPort } = this.#options
        const asked = this.#fd >= 0 && (localAddress || localPort) && native.getsockname(this.#fd) === 0
        const local = asked ? addressInWords() : undefined
        return connectException(
            result,
            'connect',
            this.#current?.address,
            this.#port || undefined,
            local ? `${local.address}:${local.port}` : undefined,
            local ? { localAddress, localPort } : undefined,
        )
    }

    /** The attempt was refused: at once, which Node tells of only where others may follow, or by an answer. */
    #failed(error: Error, atOnce: boolean): void {
        if (!(this.#alone && atOnce)) this.#emit('connectionAttemptFailed', error)
        if (this.#socket.connecting) this.#next(error)
    }

    #next(error: Error): void {
        this.#close()
        if (this.#alone) {
            this.#socket.destroy(error)
            return
        }
        this.#errors.push(error)
        this.#tryNext()
    }

    #close(): void {
        clearTimeout(this.#timer)
        if (this.#token >= 0) poller().release(this.#token)
        if (this.#fd >= 0) native.close(this.#fd)
        this.#token = -1
        this.#fd = -1
        this.#updateHold()
    }

    /** The socket was destroyed meanwhile. */
    cancel(): void {
        this.#candidates = []
        this.#close()
    }

    setReferenced(referenced: boolean): void {
        this.#referenced = referenced
        this.#updateHold()
    }

    #updateHold(): void {
        const hold = this.#referenced && this.#fd >= 0
        if (hold === this.#held) return
        this.#held = hold
        poller().hold(hold ? 1 : -1)
    }
}
