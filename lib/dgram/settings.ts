// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events'
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
    SO_BROADCAST,
    SO_RCVBUF,
    SO_SNDBUF,
    SOL_SOCKET,
} from '../constants.js'
import { errnoException } from '../errors.js'
import { native, words } from '../native.js'
import { bytesOfIPv4, groupIPv4, groupIPv6, sourceIPv4, zoneOf } from './multicast.js'

/** The settings of a datagram socket, under Node's names. */
export abstract class DatagramSettings extends EventEmitter {
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
        this._open()
        const result =
            typeof value === 'number'
                ? native.setsockopt(this._fd, level, name, value)
                : native.setsockoptBytes(this._fd, level, name, value)
        if (result < 0) throw errnoException(result, syscall)
    }

    #get(name: number, syscall: string): number {
        this._checkOpen()
        this._open()
        const result = native.getsockopt(this._fd, SOL_SOCKET, name)
        if (result < 0) throw errnoException(result, syscall)
        return words[0] as number
    }

    setBroadcast(flag: boolean): void {
        this.#set(SOL_SOCKET, SO_BROADCAST, +Boolean(flag), 'setBroadcast')
    }

    setTTL(ttl: number): number {
        if (this._six) this.#set(IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl, 'setTTL')
        else this.#set(IPPROTO_IP, IP_TTL, ttl, 'setTTL')
        return ttl
    }

    setMulticastTTL(ttl: number): number {
        if (this._six) this.#set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl, 'setMulticastTTL')
        else this.#set(IPPROTO_IP, IP_MULTICAST_TTL, ttl, 'setMulticastTTL')
        return ttl
    }

    setMulticastLoopback(flag: boolean): boolean {
        if (this._six) this.#set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, +Boolean(flag), 'setMulticastLoopback')
        else this.#set(IPPROTO_IP, IP_MULTICAST_LOOP, +Boolean(flag), 'setMulticastLoopback')
        return flag
    }

    setMulticastInterface(address: string): void {
        const call = 'setMulticastInterface'
        if (this._six) this.#set(IPPROTO_IPV6, IPV6_MULTICAST_IF, zoneOf(address), call)
        else this.#set(IPPROTO_IP, IP_MULTICAST_IF, Uint8Array.from(bytesOfIPv4(address, call)), call)
    }

    addMembership(group: string, at?: string): void {
        const call = 'addMembership'
        this._ensureBound()
        if (this._six) this.#set(IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, groupIPv6(group, at, call), call)
        else this.#set(IPPROTO_IP, IP_ADD_MEMBERSHIP, groupIPv4(group, at, call), call)
    }

    dropMembership(group: string, at?: string): void {
        const call = 'dropMembership'
        if (this._six) this.#set(IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, groupIPv6(group, at, call), call)
        else this.#set(IPPROTO_IP, IP_DROP_MEMBERSHIP, groupIPv4(group, at, call), call)
    }

    addSourceSpecificMembership(source: string, group: string, at?: string): void {
        const call = 'addSourceSpecificMembership'
        this._ensureBound()
        this.#set(IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, sourceIPv4(group, source, at, call), call)
    }

    dropSourceSpecificMembership(source: string, group: string, at?: string): void {
        const call = 'dropSourceSpecificMembership'
        this.#set(IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, sourceIPv4(group, source, at, call), call)
    }

    setRecvBufferSize(size: number): void {
        this.#set(SOL_SOCKET, SO_RCVBUF, size, 'setRecvBufferSize')
    }

    setSendBufferSize(size: number): void {
        this.#set(SOL_SOCKET, SO_SNDBUF, size, 'setSendBufferSize')
    }

    getRecvBufferSize(): number {
        return this.#get(SO_RCVBUF, 'getRecvBufferSize')
    }

    getSendBufferSize(): number {
        return this.#get(SO_SNDBUF, 'getSendBufferSize')
    }
}
