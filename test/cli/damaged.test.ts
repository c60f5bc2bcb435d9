// SPDX-License-Identifier: Apache-2.0
/* Segments that are stale, cut, foreign or made to do harm: an error that says why, a code, no more. */
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readSegment, SEGMENT_DIRECTORY } from '../../lib/stats/index.js'
import { json, pronghorn, Target } from './support.js'

const target = await Target.start()
t.teardown(() => target.end('SIGKILL'))
const folder = t.testdir({})
const good = join(folder, `pronghorn.${target.pid}`)
copyFileSync(join(SEGMENT_DIRECTORY, `pronghorn.${target.pid}`), good)
const bytes = readFileSync(good)
await target.end()

t.test('each bad segment', async (t) => {
    const path = join(folder, 'pronghorn.2')
    const look = () => pronghorn('show', 'sockets', '--pid', '2', '--directory', folder)
    const rejects = async (reason: RegExp, name: string) => {
        const { code, out, err } = await look()
        t.equal(code, 4, name)
        t.equal(out, '')
        t.match(err, reason)
        t.notMatch(err, /at .*\.js:/, 'no stack trace')
    }
    writeFileSync(path, '')
    await rejects(/not a statistics segment/, 'empty')
    writeFileSync(path, Buffer.alloc(1 << 20))
    await rejects(/not a statistics segment/, 'zeros: half written')
    const later = Buffer.from(bytes)
    later.writeUInt32LE(2, 8)
    writeFileSync(path, later)
    await rejects(/version 2, this reader knows 1/, 'of a later version')
    copyFileSync(good, path)
    truncateSync(path, 40_000)
    await rejects(/is damaged/, 'cut')
    symlinkSync(good, join(folder, 'pronghorn.3'))
    t.equal((await pronghorn('show', 'stacks', '--pid', '3', '--directory', folder)).code, 4, 'a link')
    mkdirSync(join(folder, 'pronghorn.4'))
    const { processes } = await json('show', 'processes', '--all', '--directory', folder)
    t.equal(processes.length, 4)
    t.equal(processes.filter((row: { problem?: string }) => row.problem).length, 3)
})

t.test('facts that are no facts are left out, and cannot reach the terminal', async (t) => {
    const evil = [
        '{"fact":"setting","key":"a\\u001b[2J","value":"\\u009b31m","source":"x"}',
        '{"fact":"setting","key":1,"value":"v","source":"x"}',
        '{"fact":"port","id":"none"}',
        '{"fact":"setting","key":"__proto__","value":"v","source":"x"}',
        'null',
        '[1,2',
        '{"fact":"stack"}',
    ].join('\n')
    const copy = Buffer.from(bytes)
    copy.write(evil, Number(copy.readBigUInt64LE(192)))
    copy.writeUInt32LE(Buffer.byteLength(evil), 188)
    writeFileSync(join(folder, 'pronghorn.5'), copy)
    const { facts } = readSegment(5, { directory: folder })
    t.same(
        facts.settings.map(({ key }) => key),
        ['a?[2J', '__proto__'],
    )
    t.same([facts.ports, facts.stacks], [[], []])
    const { code, out } = await pronghorn('show', 'settings', '--pid', '5', '--directory', folder)
    t.equal(code, 0)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
    t.notMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
})

t.test('a segment from before there were facts', async (t) => {
    const copy = Buffer.from(bytes)
    copy.writeUInt32LE(192, 12)
    writeFileSync(join(folder, 'pronghorn.6'), copy)
    t.equal((await json('show', 'settings', '--pid', '6', '--directory', folder)).settings.length, 0)
    t.equal((await json('show', 'stacks', '--pid', '6', '--directory', folder)).stacks.length, 2)
})

/* Of another build: rows and entries longer, a counter that this one does not know, one fewer, a kind of a later one. */
t.test('a segment of another build of the same version', async (t) => {
    const read = (pid: number) => readSegment(pid, { directory: folder })
    const before = read(target.pid)
    const at = bytes.readUInt32LE(144)
    const count = bytes.readUInt32LE(148)
    const size = bytes.readUInt32LE(152)
    const stackBytes = bytes.readUInt32LE(156)
    const stackOffset = Number(bytes.readBigUInt64LE(160))
    const entry = (name: string) => {
        for (let i = 0; i < count; i++)
            if (bytes.toString('utf8', at + i * size, at + i * size + 32).replace(/\0.*$/s, '') === name)
                return at + i * size
        throw new Error(name)
    }
    const grown = 4096
    const stacks = bytes.readUInt32LE(28)
    const parts = [bytes.subarray(0, stackOffset)]
    for (let i = 0; i < stacks; i++)
        parts.push(
            bytes.subarray(stackOffset + i * stackBytes, stackOffset + (i + 1) * stackBytes),
            Buffer.alloc(grown, i + 1),
        )
    const other = Buffer.concat([...parts, bytes.subarray(stackOffset + stacks * stackBytes)])
    other.writeBigUInt64LE(BigInt(other.length), 16)
    other.writeUInt32LE(stackBytes + grown, 156)
    for (const where of [168, 208])
        other.writeBigUInt64LE(bytes.readBigUInt64LE(where) + BigInt(stacks * grown), where)
    const renamed = entry('tx_packets')
    other.fill(0, renamed, renamed + 32).write('rx_by_pigeon', renamed)
    other.writeUInt32LE(stackBytes, renamed + 52) // in the part that has grown
    other.writeUInt8(200, entry('tx_bytes') + 49) // a kind that nobody knows
    writeFileSync(join(folder, 'pronghorn.7'), other)
    const after = read(7)
    t.equal(after.stacks[1]!.counters.rx_packets, before.stacks[1]!.counters.rx_packets)
    t.equal(after.stacks[1]!.counters.rx_by_pigeon, Number(0x0202020202020202n))
    t.notOk('tx_packets' in after.stacks[0]!.counters || 'tx_bytes' in after.stacks[0]!.counters)
    t.same(after.sockets, before.sockets)
    for (const words of [['show', 'stacks'], ['show', 'sockets', '-i'], ['drops'], ['snmp'], ['export']]) {
        const { code, out, err } = await pronghorn(...words, '--pid', '7', '--directory', folder)
        if (/unknown option '--directory'/.test(err)) continue
        t.equal(code, 0, `${words.join(' ')}: ${err}`)
        t.notMatch(out, /NaN|undefined/, words.join(' '))
    }
})
