// SPDX-License-Identifier: Apache-2.0
// A flight recorder as a capture file, as the process itself writes it (native/console/flight_dump.c).

import type { Flight, FlightEvent } from '../stats/index.js'

const LINKTYPE_ETHERNET = 1
const SECTION = 0x0a0d0d0a
const INTERFACE = 1
const PACKET = 6
const JOURNAL = 9

const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])

function words(...values: number[]): Buffer {
    const bytes = Buffer.alloc(values.length * 4)
    for (const [i, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, i * 4)
    return bytes
}

function option(code: number, value: Buffer): Buffer {
    const head = Buffer.alloc(4)
    head.writeUInt16LE(code, 0)
    head.writeUInt16LE(value.length, 2)
    return Buffer.concat([head, padded(value)])
}

function block(type: number, ...parts: Buffer[]): Buffer {
    const body = Buffer.concat(parts)
    const length = body.length + 12
    return Buffer.concat([words(type, length), body, words(length)])
}

export function eventText(e: FlightEvent): string {
    const what = e.event === 'state' ? `${e.stateBefore} -> ${e.state}` : `${e.event} (${e.state})`
    return (
        `stack ${e.stack} ${e.local}:${e.localPort} > ${e.peer}:${e.peerPort} ${what} seq ${e.sendNext} ` +
        `ack ${e.receiveNext} unacked ${e.unacked} cwnd ${e.cwnd} ssthresh ${e.ssthresh} snd_wnd ${e.sendWindow} ` +
        `rcv_wnd ${e.receiveWindow} rtt ${e.rttUs} us rto ${e.rtoUs} us retries ${e.retries}`
    )
}

/** Packets as such, events as entries of systemd's journal, which Wireshark shows between them. */
export function pcapngOf(flight: Flight, portName: (port: number) => string): Buffer {
    const interfaces = new Map<string, number>()
    const heads: Buffer[] = []
    const blocks: Buffer[] = []
    const interfaceOf = (stack: number, port: number) => {
        const name = `${portName(port)} stack ${stack}`
        if (!interfaces.has(name)) {
            interfaces.set(name, interfaces.size)
            heads.push(
                block(
                    INTERFACE,
                    words(LINKTYPE_ETHERNET, flight.snapBytes),
                    option(2, Buffer.from(name)),
                    option(9, Buffer.from([9])), // nanoseconds
                    words(0),
                ),
            )
        }
        return interfaces.get(name)!
    }
    for (const record of flight.records) {
        if (record.kind === 'event') {
            const text =
                `__REALTIME_TIMESTAMP=${record.timeNs / 1000n}\nPRIORITY=5\nSYSLOG_IDENTIFIER=pronghorn\n` +
                `MESSAGE=${eventText(record)}\n`
            blocks.push(block(JOURNAL, padded(Buffer.from(text))))
            continue
        }
        blocks.push(
            block(
                PACKET,
                words(
                    interfaceOf(record.stack, record.port),
                    Number(record.timeNs >> 32n),
                    Number(record.timeNs & 0xffffffffn),
                    record.bytes.length,
                    record.length,
                ),
                padded(record.bytes),
                option(2, words(record.direction === 'in' ? 1 : 2)),
                words(0),
            ),
        )
    }
    const section = block(
        SECTION,
        words(0x1a2b3c4d, 1, 0xffffffff, 0xffffffff),
        option(4, Buffer.from('pronghorn flight recorder')),
        words(0),
    )
    return Buffer.concat([section, ...heads, ...blocks])
}
