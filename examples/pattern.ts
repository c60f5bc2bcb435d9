// SPDX-License-Identifier: Apache-2.0
// A stream of bytes that any two programs can make alike: each offset has its own, so that lost,
// doubled or reordered data changes the checksum.
import { createCipheriv, createHash } from 'node:crypto'

const BLOCK = Buffer.alloc(65536)

export function* pattern(bytes: number): Generator<Buffer> {
    const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16))
    for (let left = bytes; left > 0; left -= BLOCK.length)
        yield stream.update(left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK)
}

export function patternSha256(bytes: number): string {
    const hash = createHash('sha256')
    for (const block of pattern(bytes)) hash.update(block)
    return hash.digest('hex')
}
