// SPDX-License-Identifier: Apache-2.0
/*
 * For logs (no terminal): reads tap's TAP and prints one line per test file, and of a failed file each
 * failed point with its diagnostics. tap's own reporters redraw the screen.
 */
import { createInterface } from 'node:readline'

/* The failed points of one file's TAP, innermost only, each with the YAML block that follows it. */
export function failuresOf(lines) {
    const failures = []
    const path = []
    for (let i = 0; i < lines.length; i++) {
        const subtest = lines[i].match(/^( *)# Subtest: (.*)$/)
        if (subtest) {
            path[subtest[1].length / 4] = subtest[2]
            path.length = subtest[1].length / 4 + 1
            continue
        }
        const point = lines[i].match(/^( *)not ok \d+ ?-? ?(.*)$/)
        if (!point || /# (TODO|SKIP)/i.test(point[2])) continue
        const depth = point[1].length / 4
        const name = point[2].replace(/ # time=.*$/, '')
        // The line that closes a subtest repeats what failed inside it.
        const closesSubtest = path[depth] === name && failures.some((failure) => failure.depth > depth)
        path.length = Math.min(path.length, depth)
        const block = []
        if (lines[i + 1]?.trim() === '---') {
            const indent = lines[i + 1].indexOf('---')
            for (i += 2; i < lines.length && lines[i].trim() !== '...'; i++)
                block.push(lines[i].slice(indent))
        }
        if (!closesSubtest) failures.push({ depth, name: [...path, name].filter(Boolean).join(' > '), block })
    }
    return failures
}

export function report(stream, print = console.log) {
    let lines = []
    createInterface({ input: stream }).on('line', (line) => {
        if (/^ /.test(line)) {
            lines.push(line)
            return
        }
        const point = line.match(/^(not )?ok \d+ - (.*?)(?: # time=([\d.]+)ms)?( # .*)?$/)
        if (!point) return
        const [, failed, name, time, directive] = point
        const seconds = time ? ` (${(Number(time) / 1000).toFixed(1)} s)` : ''
        print(`${failed ? 'FAILED' : 'ok'} ${name}${seconds}${directive ?? ''}`)
        if (failed) {
            for (const { name, block } of failuresOf(lines)) {
                print(`    ${name}`)
                for (const text of block) print(`        ${text}`)
            }
        }
        lines = []
    })
}
