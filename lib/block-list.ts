// SPDX-License-Identifier: Apache-2.0

import { isIPv6 } from 'node:net'
import { coded, invalidType } from './errors.js'

/** A net.BlockList, or what answers as one. */
export interface BlockListLike {
    /** Whether the address is listed. */
    check(address: string, family: 'ipv4' | 'ipv6'): boolean
}

export function checkBlockList(name: string, given: unknown): BlockListLike | undefined {
    if (!given) return undefined
    if (typeof (given as BlockListLike).check !== 'function')
        throw invalidType(name, 'an instance of net.BlockList', given)
    return given as BlockListLike
}

/** Why there is nothing to be had of this address; undefined if it is not listed. */
export function blocked(list: BlockListLike | undefined, address: string): Error | undefined {
    if (list === undefined || !list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) return undefined
    return coded(Error, 'ERR_IP_BLOCKED', `IP(${address}) is blocked by net.BlockList`)
}
