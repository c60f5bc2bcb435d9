// SPDX-License-Identifier: Apache-2.0
// Reads a pcapng file strictly, and verifies the checksums of what is in it.

export interface Packet {
    interface: number
    timeNs: bigint
    length: number
    direction: number
    bytes: Buffer
}

export interface Capture {
    interfaces: { name: string; filter: string; snaplen: number }[]
    packets: Packet[]
    /** Entries of systemd's journal: events. */
    journal: { timeUs: bigint; message: string }[]
    statistics: { interface: number; received: number; dropped: number }[]
}

function optionsOf(bytes: Buffer): Map<number, Buffer> {
    const options = new Map<number, Buffer>()
    for (let at = 0; at < bytes.length; ) {
        const code = bytes.readUInt16LE(at)
        const length = bytes.readUInt16LE(at + 2)
        if (code === 0) {
            if (length !== 0 || at + 4 !== bytes.length) throw new Error('options end badly')
            return options
        }
        options.set(code, bytes.subarray(at + 4, at + 4 + length))
        at += 4 + Math.ceil(length / 4) * 4
    }
    if (bytes.length) throw new Error('options without an end')
    return options
}

export function readCapture(file: Buffer): Capture {
    const capture: Capture = { interfaces: [], packets: [], journal: [], statistics: [] }
    for (let at = 0; at < file.length; ) {
        const type = file.readUInt32LE(at)
        const length = file.readUInt32LE(at + 4)
        if (length % 4 || file.readUInt32LE(at + length - 4) !== length) throw new Error(`bad block at ${at}`)
        const body = file.subarray(at + 8, at + length - 4)
        at += length
        if (type === 0x0a0d0d0a) {
            if (body.readUInt32LE(0) !== 0x1a2b3c4d || body.readUInt16LE(4) !== 1)
                throw new Error('bad section')
            optionsOf(body.subarray(16))
        } else if (type === 1) {
            const options = optionsOf(body.subarray(8))
            if (body.readUInt16LE(0) !== 1 || options.get(9)?.[0] !== 9) throw new Error('bad interface')
            capture.interfaces.push({
                name: `${options.get(2)}`,
                filter: `${options.get(11)?.subarray(1) ?? ''}`,
                snaplen: body.readUInt32LE(4),
            })
        } else if (type === 6) {
            const captured = body.readUInt32LE(12)
            const options = optionsOf(body.subarray(20 + Math.ceil(captured / 4) * 4))
            capture.packets.push({
                interface: body.readUInt32LE(0),
                timeNs: (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8)),
                length: body.readUInt32LE(16),
                direction: options.get(2)!.readUInt32LE(0),
                bytes: body.subarray(20, 20 + captured),
            })
        } else if (type === 5) {
            const options = optionsOf(body.subarray(12))
            capture.statistics.push({
                interface: body.readUInt32LE(0),
                received: Number(options.get(4)!.readBigUInt64LE()),
                dropped: Number(options.get(5)!.readBigUInt64LE()),
            })
        } else if (type === 9) {
            const text = body.toString('utf8').replace(/\0+$/, '')
            const fields = new Map(
                text.split('\n').map((line) => [line.split('=')[0]!, line.slice(line.indexOf('=') + 1)]),
            )
            capture.journal.push({
                timeUs: BigInt(fields.get('__REALTIME_TIMESTAMP')!),
                message: fields.get('MESSAGE')!,
            })
        } else throw new Error(`block of type ${type}`)
    }
    return capture
}

function sum(bytes: Buffer): number {
    let total = 0
    for (let i = 0; i + 1 < bytes.length; i += 2) total += bytes.readUInt16BE(i)
    if (bytes.length % 2) total += bytes[bytes.length - 1]! << 8
    while (total > 0xffff) total = (total & 0xffff) + (total >> 16)
    return total
}

/** Whether the checksums of an IPv4 packet, and of the TCP or UDP in it, are right. */
export function checksumsHold({ bytes, length }: Packet): boolean {
    if (bytes.length < length || bytes.readUInt16BE(12) !== 0x0800) return bytes.length >= length
    const ip = bytes.subarray(14, 14 + bytes.readUInt16BE(16))
    const header = (ip[0]! & 15) * 4
    if (sum(ip.subarray(0, header)) !== 0xffff) return false
    const protocol = ip[9]!
    if (protocol !== 6 && protocol !== 17) return true
    const l4 = ip.subarray(header)
    if (protocol === 17 && l4.readUInt16BE(6) === 0) return true
    const pseudo = Buffer.alloc(12)
    ip.copy(pseudo, 0, 12, 20)
    pseudo[9] = protocol
    pseudo.writeUInt16BE(l4.length, 10)
    return sum(Buffer.concat([pseudo, l4])) === 0xffff
}
