// SPDX-License-Identifier: Apache-2.0
/*
 * What no formatter looks at: the licence line, tabs and trailing blanks, long lines and long files
 * in C, hosts in the lock file.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const COLUMNS = 120
/* A guide for people (design: 500, on the data path 350); beyond this a file must be split. */
const LINES = 600
const code = /\.(c|h|cc|ts|mjs|def)$|^tools\/setup\/cmake$/
const clike = /\.(c|h|cc|def)$/

export function checkText(root) {
    const findings = []
    // Not yet committed files too, but nothing that git ignores.
    const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
        cwd: root,
        encoding: 'utf8',
    })
    for (const file of listed.split('\n').filter((name) => code.test(name))) {
        if (!existsSync(join(root, file))) continue
        const add = (line, rule) => findings.push({ file, line, rule })
        const lines = readFileSync(join(root, file), 'utf8').split('\n')
        if (!lines.slice(0, 3).some((line) => line.includes('SPDX-License-Identifier: Apache-2.0'))) {
            add(1, 'the first line names no licence (SPDX-License-Identifier: Apache-2.0)')
        }
        lines.forEach((line, index) => {
            if (/[ \t]$/.test(line)) add(index + 1, 'blank at the end of the line')
            if (!clike.test(file)) return
            if (line.includes('\t')) add(index + 1, 'tab')
            if (line.length > COLUMNS && !/\.def$/.test(file))
                add(index + 1, `longer than ${COLUMNS} columns`)
        })
        if (clike.test(file) && lines.length > LINES) add(LINES, `longer than ${LINES} lines: split it`)
        if (lines.at(-1) !== '') add(lines.length, 'no newline at the end')
    }
    const lock = join(root, 'package-lock.json')
    if (existsSync(lock) && /"resolved"/.test(readFileSync(lock, 'utf8'))) {
        findings.push({
            file: 'package-lock.json',
            line: 1,
            rule: 'names a registry: refresh it with tools/lock.mjs',
        })
    }
    return findings
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const findings = checkText(process.argv[2] ?? fileURLToPath(new URL('../..', import.meta.url)))
    for (const { file, line, rule } of findings) console.error(`${file}:${line}: ${rule}`)
    process.exitCode = findings.length ? 1 : 0
}
