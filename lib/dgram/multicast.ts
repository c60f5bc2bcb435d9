// SPDX-License-Identifier: Apache-2.0
// The structures that multicast options take: struct ip_mreq, ip_mreq_source, ipv6_mreq
// and group_source_req.

import { isIPv4, isIPv6 } from 'node:net'
import { AF_INET6 } from '../constants.js'
import { EINVAL, errnoException } from '../errors.js'

// Of struct group_source_req on 64 bits: the interface, then two of struct sockaddr_storage.
const GROUP_AT = 8
const SOURCE_AT = GROUP_AT + 128
const GROUP_SOURCE_REQ_BYTES = SOURCE_AT + 128
const SIN6_ADDR_AT = 8

/** The four bytes of an IPv4 address; zeros for none. */
export function bytesOfIPv4(text: string | undefined, syscall: string): number[] {
    if (text === undefined) return [0, 0, 0, 0]
    if (!isIPv4(text)) throw errnoException(-EINVAL, syscall)
    return text.split('.').map(Number)
}

function bytesOfIPv6(text: string, syscall: string): number[] {
    const [address = ''] = text.split('%')
    if (!isIPv6(address)) throw errnoException(-EINVAL, syscall)
    const groupsOf = (part: string) =>
        part === ''
            ? []
            : part.split(':').flatMap((group) => {
                  if (!group.includes('.')) return [Number.parseInt(group, 16)]
                  const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
                  return [(a << 8) | b, (c << 8) | d]
              })
    const [head = '', tail] = address.split('::')
    const left = groupsOf(head)
    const right = tail === undefined ? [] : groupsOf(tail)
    const zeros = new Array<number>(8 - left.length - right.length).fill(0)
    return [...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff])
}

/** { group, interface } for IP_ADD_MEMBERSHIP and IP_DROP_MEMBERSHIP. */
export function groupIPv4(group: string, at: string | undefined, syscall: string): Uint8Array {
    return Uint8Array.from([...bytesOfIPv4(group, syscall), ...bytesOfIPv4(at, syscall)])
}

/** { group, interface, source } for IP_ADD_SOURCE_MEMBERSHIP and IP_DROP_SOURCE_MEMBERSHIP. */
export function sourceIPv4(
    group: string,
    source: string,
    at: string | undefined,
    syscall: string,
): Uint8Array {
    return Uint8Array.from([...groupIPv4(group, at, syscall), ...bytesOfIPv4(source, syscall)])
}

/** struct group_source_req for MCAST_JOIN_SOURCE_GROUP and MCAST_LEAVE_SOURCE_GROUP of IPv6. */
export function sourceIPv6(
    group: string,
    source: string,
    at: string | undefined,
    syscall: string,
): Uint8Array {
    const request = new Uint8Array(GROUP_SOURCE_REQ_BYTES)
    const view = new DataView(request.buffer)
    view.setUint32(0, zoneOf(at), true)
    for (const [offset, address] of [
        [GROUP_AT, group],
        [SOURCE_AT, source],
    ] as const) {
        view.setUint16(offset, AF_INET6, true)
        request.set(bytesOfIPv6(address, syscall), offset + SIN6_ADDR_AT)
    }
    return request
}

/** { group, interface index } for IPV6_ADD_MEMBERSHIP and IPV6_DROP_MEMBERSHIP. */
export function groupIPv6(group: string, at: string | undefined, syscall: string): Uint8Array {
    const index = zoneOf(at)
    return Uint8Array.from([...bytesOfIPv6(group, syscall), index & 0xff, (index >> 8) & 0xff, 0, 0])
}

/** "::%2" names an interface by its number. */
export function zoneOf(address: string | undefined): number {
    return Number(address?.split('%')[1] ?? 0) || 0
}
