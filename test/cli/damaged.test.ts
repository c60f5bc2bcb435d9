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
