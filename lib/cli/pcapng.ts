// SPDX-License-Identifier: Apache-2.0
// Cuts a pcapng stream where a file may end: between blocks. The blocks before the first packet (the
// section and its interfaces) begin every file.

const PACKET = 6
const BLOCK_MAX = 16 << 20

export class BlockReader {
    private left: Buffer = Buffer.alloc(0)

    /** The whole blocks that are there now, with their types. */
    push(data: Buffer): { type: number; bytes: Buffer }[] {
        const blocks: { type: number; bytes: Buffer }[] = []
        this.left = this.left.length ? Buffer.concat([this.left, data]) : data
        let at = 0
        while (this.left.length - at >= 12) {
            const length = this.left.readUInt32LE(at + 4)
            if (length < 12 || length % 4 !== 0 || length > BLOCK_MAX)
                throw new Error('the capture is damaged: a block of impossible length')
            if (this.left.length - at < length) break
            blocks.push({ type: this.left.readUInt32LE(at), bytes: this.left.subarray(at, at + length) })
            at += length
        }
        this.left = this.left.subarray(at)
        return blocks
    }
}

export interface Sink {
    write(bytes: Buffer): void
    close(): void
}

/** Files of at most `maxBytes` each, the newest `keep` of them: name.1.pcapng, name.2.pcapng, ... */
export class RingFiles {
    private readonly head: Buffer[] = []
    private readonly names: string[] = []
    private sink: Sink | undefined
    private bytes = 0
    private number = 0
    packets = 0

    constructor(
        private readonly create: (name: string) => Sink,
        private readonly remove: (name: string) => void,
        private readonly base: string,
        private readonly maxBytes: number,
        private readonly keep: number,
    ) {}

    private open(): Sink {
        const name = this.maxBytes ? this.base.replace(/(\.pcapng)?$/, `.${++this.number}.pcapng`) : this.base
        this.names.push(name)
        if (this.keep && this.names.length > this.keep) this.remove(this.names.shift()!)
        const sink = this.create(name)
        this.bytes = 0
        for (const block of this.head) {
            sink.write(block)
            this.bytes += block.length
        }
        this.sink = sink
        return sink
    }

    block(type: number, bytes: Buffer): void {
        const beginning = this.packets === 0 && type !== PACKET && type !== 5
        if (type === PACKET) {
            this.packets++
            if (this.maxBytes && this.sink && this.bytes + bytes.length > this.maxBytes) {
                this.sink.close()
                this.sink = undefined
            }
        }
        const sink = this.sink ?? this.open()
        if (beginning) this.head.push(Buffer.from(bytes))
        sink.write(bytes)
        this.bytes += bytes.length
    }

    end(): void {
        this.sink?.close()
        this.sink = undefined
    }
}
