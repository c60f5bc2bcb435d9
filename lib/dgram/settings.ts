// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events'
import { isIPv6 } from 'node:net'
import { getSystemErrorMap } from 'node:util'
import { rooted } from '../callable.js'
import {
    IP_ADD_MEMBERSHIP,
    IP_ADD_SOURCE_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_DROP_SOURCE_MEMBERSHIP,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_ADD_MEMBERSHIP,
    IPV6_DROP_MEMBERSHIP,
    IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_IF,
    IPV6_MULTICAST_LOOP,
    IPV6_UNICAST_HOPS,
    MCAST_JOIN_SOURCE_GROUP,
    MCAST_LEAVE_SOURCE_GROUP,
    SO_BROADCAST,
    SO_RCVBUF,
    SO_SNDBUF,
    SOL_SOCKET,
} from '../constants.js'
import { coded, EINVAL, errnoException, missingArguments } from '../errors.js'
import { native, words } from '../native.js'
import { checkNumber, checkString } from './arguments.js'
import { bytesOfIPv4, groupIPv4, groupIPv6, sourceIPv4, sourceIPv6, zoneOf } from './multicast.js'

/** The settings of a datagram socket, under Node's names. */
export abstract class DatagramSettings extends rooted(EventEmitter) {
    protected _fd = -1

    /** IPv6. */
    constructor(protected readonly _six: boolean) {
        super()
    }

    /** Throws if the socket is closed. */
    protected abstract _checkOpen(): void
    /** Makes the descriptor if there is none yet. */
    protected abstract _open(): void
    protected abstract _ensureBound(): void

    #set(level: number, name: number, value: number | Uint8Array, syscall: string): void {
        this._checkOpen()
        const result =
            typeof value === 'number'
                ? native.setsockopt(this._fd, level, name, value)
                : native.setsockoptBytes(this._fd, level, name, value)
        if (result < 0) throw errnoException(result, syscall)
    }

    /** (The kernel takes -1 for its default; libuv does not.) */
    #setHops(level: number, option: number, value: number, least: number, syscall: string): number {
        checkNumber('ttl', value)
        this._checkOpen()
        if (value < least || value > 255) throw errnoException(-EINVAL, syscall)
        this.#set(level, option, value, syscall)
        return value
    }

    /** Membership may come before bind(). */
    #join(level: number, name: number, value: Uint8Array, syscall: string): void {
        this._checkOpen()
        this._open()
        this.#set(level, name, value, syscall)
    }

    #setBufferSize(option: number, size: number, kind: string): void {
        if (size >>> 0 !== size)
            throw coded(TypeError, 'ERR_SOCKET_BAD_BUFFER_SIZE', 'Buffer size must be a positive integer')
        const result = size > 2 ** 31 - 1 ? -EINVAL : native.setsockopt(this._fd, SOL_SOCKET, option, size)
        if (result < 0) throw bufferSizeError(result, kind)
    }

    #getBufferSize(option: number, kind: string): number {
        const result = native.getsockopt(this._fd, SOL_SOCKET, option)
        if (result < 0) throw bufferSizeError(result, kind)
        return words[0] as number
    }

    /** SO_BROADCAST: datagrams to a broadcast address are not refused (EACCES). For bound sockets, as all below. */
    setBroadcast(flag: boolean): void {
        this.#set(SOL_SOCKET, SO_BROADCAST, +Boolean(flag), 'setBroadcast')
    }

    /** IP_TTL or IPV6_UNICAST_HOPS, 1 to 255. EINVAL throws. */
    setTTL(ttl: number): number {
        return this._six
            ? this.#setHops(IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl, 1, 'setTTL')
            : this.#setHops(IPPROTO_IP, IP_TTL, ttl, 1, 'setTTL')
    }

    /** IP_MULTICAST_TTL or IPV6_MULTICAST_HOPS, 0 to 255; 1 from the start. EINVAL throws. */
    setMulticastTTL(ttl: number): number {
        return this._six
            ? this.#setHops(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl, 0, 'setMulticastTTL')
            : this.#setHops(IPPROTO_IP, IP_MULTICAST_TTL, ttl, 0, 'setMulticastTTL')
    }

    /** Whether what it sends to a group comes to members on this host, too; on from the start. */
    setMulticastLoopback(flag: boolean): boolean {
        if (this._six) this.#set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, +Boolean(flag), 'setMulticastLoopback')
        else this.#set(IPPROTO_IP, IP_MULTICAST_LOOP, +Boolean(flag), 'setMulticastLoopback')
        return flag
    }

    /** The port to send to groups by: one of its addresses; for IPv6 `::%2`, 2 being its number. EINVAL throws. */
    setMulticastInterface(address: string): void {
        const call = 'setMulticastInterface'
        this._checkOpen()
        checkString('interfaceAddress', address)
        if (this._six) {
            if (!isIPv6(address.split('%')[0] as string)) throw errnoException(-EINVAL, call)
            this.#set(IPPROTO_IPV6, IPV6_MULTICAST_IF, zoneOf(address), call)
        } else {
            this.#set(IPPROTO_IP, IP_MULTICAST_IF, Uint8Array.from(bytesOfIPv4(address, call)), call)
        }
    }

    #membership(group: string, at: string | undefined, four: number, six: number, call: string): void {
        this._checkOpen()
        if (!group) throw missingArguments('multicastAddress')
        if (this._six) this.#join(IPPROTO_IPV6, six, groupIPv6(group, at, call), call)
        else this.#join(IPPROTO_IP, four, groupIPv4(group, at, call), call)
        this._ensureBound()
    }

    /**
     * Joins a group, on the port with this address (IPv6: `::%2`) or on all; also before bind(). EADDRINUSE (a member
     * already), EINVAL (no group), ENODEV (no such port) throw. close() leaves.
     */
    addMembership(group: string, at?: string): void {
        this.#membership(group, at, IP_ADD_MEMBERSHIP, IPV6_ADD_MEMBERSHIP, 'addMembership')
    }

    /** Leaves it. EADDRNOTAVAIL throws if it was no member. */
    dropMembership(group: string, at?: string): void {
        this.#membership(group, at, IP_DROP_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, 'dropMembership')
    }

    #sourceMembership(
        source: string,
        group: string,
        at: string | undefined,
        four: number,
        six: number,
        call: string,
    ): void {
        this._checkOpen()
        checkString('sourceAddress', source)
        checkString('groupAddress', group)
        if (this._six) this.#join(IPPROTO_IPV6, six, sourceIPv6(group, source, at, call), call)
        else this.#join(IPPROTO_IP, four, sourceIPv4(group, source, at, call), call)
        this._ensureBound()
    }

    /** Joins a group for what this source sends, up to 64 sources of a group; all else as addMembership(). */
    addSourceSpecificMembership(source: string, group: string, at?: string): void {
        const call = 'addSourceSpecificMembership'
        this.#sourceMembership(source, group, at, IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_SOURCE_GROUP, call)
    }

    /** Leaves it. EADDRNOTAVAIL throws if it was no member. */
    dropSourceSpecificMembership(source: string, group: string, at?: string): void {
        const call = 'dropSourceSpecificMembership'
        this.#sourceMembership(source, group, at, IP_DROP_SOURCE_MEMBERSHIP, MCAST_LEAVE_SOURCE_GROUP, call)
    }

    /** SO_RCVBUF, bytes: what may wait to be read, beyond which datagrams are dropped and counted. */
    setRecvBufferSize(size: number): void {
        this.#setBufferSize(SO_RCVBUF, size, 'recv')
    }

    /** SO_SNDBUF, bytes: what may wait to be sent. */
    setSendBufferSize(size: number): void {
        this.#setBufferSize(SO_SNDBUF, size, 'send')
    }

    /** SO_RCVBUF, bytes. ERR_SOCKET_BUFFER_SIZE throws if it is not bound. */
    getRecvBufferSize(): number {
        return this.#getBufferSize(SO_RCVBUF, 'recv')
    }

    /** SO_SNDBUF, bytes. ERR_SOCKET_BUFFER_SIZE throws if it is not bound. */
    getSendBufferSize(): number {
        return this.#getBufferSize(SO_SNDBUF, 'send')
    }
}

/** Shaped as Node's SystemError. */
function bufferSizeError(errno: number, kind: string): Error {
    const [code, message] = getSystemErrorMap().get(errno) ?? ['UNKNOWN', 'unknown error']
    const syscall = `uv_${kind}_buffer_size`
    const error = coded(
        Error,
        'ERR_SOCKET_BUFFER_SIZE',
        `Could not get or set buffer size: ${syscall} returned ${code} (${message})`,
    )
    Object.defineProperty(error, 'name', { value: 'SystemError', configurable: true, writable: true })
    return Object.assign(error, { info: { errno, code, message, syscall }, errno, syscall })
}
