// SPDX-License-Identifier: Apache-2.0
// A packet in one line, much as tcpdump has it: enough to see what went on around an event.

import { ipv4, ipv6 } from '../stats/sockets.js'

const FLAGS = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'W']
const PROTOCOLS: Record<number, string> = { 1: 'ICMP', 2: 'IGMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6' }

function transport(protocol: number, from: string, to: string, data: Buffer, payload: number): string {
    if (protocol === 6 && data.length >= 20) {
        const flags = FLAGS.filter((_, bit) => data[13]! & (1 << bit)).join('')
        const length = payload - (data[12]! >> 4) * 4
        return (
            `${from}:${data.readUInt16BE(0)} > ${to}:${data.readUInt16BE(2)} [${flags}] seq ${data.readUInt32BE(4)} ` +
            `ack ${data.readUInt32BE(8)} win ${data.readUInt16BE(14)} length ${length}`
        )
    }
    if (protocol === 17 && data.length >= 8)
        return `${from}:${data.readUInt16BE(0)} > ${to}:${data.readUInt16BE(2)} UDP length ${data.readUInt16BE(4) - 8}`
    return `${from} > ${to} ${PROTOCOLS[protocol] ?? `protocol ${protocol}`} length ${payload}`
}

function arp(data: Buffer): string {
    if (data.length < 28) return 'ARP'
    const [from, to] = [ipv4(data.subarray(14)), ipv4(data.subarray(24))]
    return data.readUInt16BE(6) === 1 ? `ARP who has ${to}, asks ${from}` : `ARP ${from} is here`
}

export function packetLine(bytes: Buffer): string {
    if (bytes.length < 14) return 'too short for Ethernet'
    const type = bytes.readUInt16BE(12)
    const data = bytes.subarray(14)
    if (type === 0x0806) return arp(data)
    if (type === 0x0800 && data.length >= 20) {
        const head = (data[0]! & 15) * 4
        const [from, to] = [ipv4(data.subarray(12)), ipv4(data.subarray(16))]
        const isFirst = (data.readUInt16BE(6) & 0x1fff) === 0
        const payload = data.readUInt16BE(2) - head
        if (!isFirst) return `${from} > ${to} fragment length ${payload}`
        return transport(data[9]!, from, to, data.subarray(head), payload)
    }
    if (type === 0x86dd && data.length >= 40)
        return transport(
            data[6]!,
            `[${ipv6(data.subarray(8, 24))}]`,
            `[${ipv6(data.subarray(24, 40))}]`,
            data.subarray(40),
            data.readUInt16BE(4),
        )
    return `type 0x${type.toString(16).padStart(4, '0')}`
}
