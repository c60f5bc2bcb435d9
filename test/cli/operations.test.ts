// SPDX-License-Identifier: Apache-2.0
/* docs/operations.md walks through three incidents. Each is made here, its commands are run as they stand on the
 * page, and what the page shows of their output has to be in it, whatever the numbers are. */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { pronghorn, root, Target } from './support.js'

interface Step {
    words: string[]
    /** What the page shows of the output; a line that is cut into two begins with more blanks. */
    lines: string[]
}

/** The commands of the chapters of that name, in their order. */
function stepsOf(chapter: string): Step[] {
    const page = readFileSync(`${root}docs/operations.md`, 'utf8')
    const text = page.slice(page.indexOf(`### ${chapter}`)).split('\n### ')[0]!
    const steps: Step[] = []
    let step: Step | undefined
    for (const line of text.split('\n')) {
        const [, command] = line.match(/^ {4}\$ (.*)$/) ?? []
        if (command) {
            step = {
                words: (command.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", '')),
                lines: [],
            }
            if (step.words[0] === 'pronghorn') steps.push(step)
        } else if (step && /^ {4}\S| {8}/.test(line)) step.lines.push(line.trim())
        else if (line !== '') step = undefined
    }
    return steps
}

/** Numbers may be others, and words that the page left out may stand between. */
function patternOf(line: string): RegExp {
    const words = line.split(/\s+/).map((word) =>
        word
            .split(/(\d+(?:[.,]\d+)*[a-zA-Z]*)/)
            .map((part, i) =>
                i % 2 ? '(?:\\d[\\d.,]*[a-zA-Z]*|-)' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
            )
            .join(''),
    )
    return new RegExp(`(?:^|\\s)${words.join('\\s+(?:\\S+\\s+){0,12}?')}(?:\\s|$)`)
}

async function walk(t: Test, chapter: string): Promise<void> {
    const steps = stepsOf(chapter)
    t.ok(steps.length >= 2)
    for (const { words, lines } of steps) {
        t.ok(lines.length > 0, words.join(' '))
        let missing = lines
        let said = ''
        // What goes on comes and goes: the page shows a moment of it.
        for (let tries = 0; tries < 15 && missing.length > 0; tries++) {
            const { out, err } = await pronghorn(...words.slice(1))
            said = out + err
            missing = missing.filter((line) => !patternOf(line).test(said))
        }
        t.same(missing, [], `${words.join(' ')}:\n${said}`)
    }
}

async function shop(t: Test): Promise<Target> {
    const target = await Target.start({ PRONGHORN_RUNTIME_NAME: 'shop' })
    t.teardown(() => target.end('SIGKILL'))
    return target
}

t.test('Loss on the path', async (t) => {
    const target = await shop(t)
    await pronghorn('inject', '--loss', '1%', '--seed', '7', '--pid', `${target.pid}`)
    await target.tell('pump 1000000')
    await walk(t, 'Loss on the path')
    await target.end('SIGKILL')
})

t.test('A slow reader', async (t) => {
    const target = await shop(t)
    await target.tell('stall 3000000')
    await walk(t, 'A slow reader')
    await target.end('SIGKILL')
})

t.test('A core shared by mistake', async (t) => {
    const target = await shop(t)
    const loops = ['0', '1'].map((core) =>
        spawn('taskset', ['-c', core, process.execPath, '-e', 'for (;;);']),
    )
    t.teardown(() => loops.map((loop) => loop.kill('SIGKILL')))
    void target.tell('echo 64 100000000').catch(() => {})
    await walk(t, 'A core shared by mistake')
})
