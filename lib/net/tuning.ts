// SPDX-License-Identifier: Apache-2.0

import { addressInWords } from '../address.js'
import {
    IP_TOS,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_TCLASS,
    SO_KEEPALIVE,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_NODELAY,
} from '../constants.js'
import { errnoException, invalidType } from '../errors.js'
import { native, words } from '../native.js'
import { checkInteger, checkNumber } from './arguments.js'

/** What the user may set of TCP and IP. */
export interface TuningOptions {
    /** TCP_NODELAY; on unless the setting tcp.nodelay says otherwise. */
    noDelay?: boolean
    /** SO_KEEPALIVE. */
    keepAlive?: boolean
    /** Idle time before the first probe, milliseconds; whole seconds count. */
    keepAliveInitialDelay?: number
    /** The byte of IP's header that says how packets are to be treated, 0 to 255. */
    typeOfService?: number
}

/** Probes, as setKeepAlive() takes them. */
export interface KeepAlive {
    /** Whether there are any. */
    enable?: boolean
    /** Idle time before the first, milliseconds; whole seconds count. */
    initialDelay?: number
    /** Time between two, milliseconds; whole seconds count. */
    interval?: number
    /** How many go unanswered before the connection ends. */
    count?: number
}

const seconds = (ms: number | undefined) => Math.max(Math.trunc((ms ?? 0) / 1000), 0)

/** Remembers what was set, for each descriptor that the socket gets. */
export class Tuning {
    #noDelay: boolean | undefined
    #keepAlive: KeepAlive | undefined
    #service: number | undefined

    constructor(options: TuningOptions) {
        if (options.keepAliveInitialDelay !== undefined)
            checkNumber('options.keepAliveInitialDelay', options.keepAliveInitialDelay)
        if (options.typeOfService !== undefined)
            checkInteger('options.typeOfService', options.typeOfService, 0, 255)
        this.#service = options.typeOfService
        this.take(options)
    }

    /** The options of connect(), too. */
    take({ noDelay, keepAlive, keepAliveInitialDelay }: TuningOptions): void {
        if (noDelay !== undefined) this.#noDelay = Boolean(noDelay)
        if (keepAlive !== undefined)
            this.#keepAlive = { enable: Boolean(keepAlive), initialDelay: keepAliveInitialDelay ?? 0 }
    }

    apply(fd: number): void {
        if (this.#noDelay !== undefined) native.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, +this.#noDelay)
        if (this.#keepAlive !== undefined) this.#applyKeepAlive(fd, this.#keepAlive)
        if (this.#service !== undefined) this.#applyService(fd, this.#service)
    }

    setNoDelay(fd: number, wanted: boolean): void {
        if (wanted === this.#noDelay) return
        this.#noDelay = wanted
        if (fd >= 0) native.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, +wanted)
    }

    setKeepAlive(fd: number, wanted: KeepAlive): void {
        this.#keepAlive = wanted
        if (fd >= 0) this.#applyKeepAlive(fd, wanted)
    }

    #applyKeepAlive(fd: number, { enable, initialDelay, interval, count }: KeepAlive): void {
        native.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, +Boolean(enable))
        if (!enable) return
        if (seconds(initialDelay) > 0) native.setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(initialDelay))
        if (seconds(interval) > 0) native.setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(interval))
        if (count !== undefined && count > 0) native.setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, count)
    }

    setTypeOfService(fd: number, wanted: number): void {
        if (Number.isNaN(wanted)) throw invalidType('tos', 'of type number', wanted)
        checkInteger('tos', wanted, 0, 255)
        this.#service = wanted
        const result = fd >= 0 ? this.#applyService(fd, wanted) : 0
        if (result < 0) throw errnoException(result, 'setTypeOfService')
    }

    typeOfService(fd: number): number {
        if (fd < 0) return this.#service ?? 0
        const result = native.getsockopt(fd, ...serviceOf(fd))
        if (result < 0) throw errnoException(result, 'getTypeOfService')
        return words[0] as number
    }

    #applyService(fd: number, wanted: number): number {
        return native.setsockopt(fd, ...serviceOf(fd), wanted)
    }
}

/** Level and name of the option, which each family has for itself. */
function serviceOf(fd: number): [number, number] {
    const six = native.getsockname(fd) === 0 && addressInWords()?.family === 'IPv6'
    return six ? [IPPROTO_IPV6, IPV6_TCLASS] : [IPPROTO_IP, IP_TOS]
}
