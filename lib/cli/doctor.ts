// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { Command } from 'commander'
import { EXIT } from './failure.js'
import { checkMachine, type Finding } from './machine.js'
import { cyan, green, red, yellow } from './text.js'
import { jsonOption, type ViewOptions } from './view.js'

const mark = { ok: () => green('ok  '), note: () => yellow('note'), problem: () => red('BAD ') }

function print({ check, level, what, remedy }: Finding): void {
    console.log(`${mark[level]()}  ${check.padEnd(16)} ${what}`)
    if (remedy) console.log(`${' '.repeat(23)}${cyan(remedy)}`)
}

/** Asks before each; without a terminal nothing is done. */
async function mend(findings: Finding[]): Promise<void> {
    const fixes = findings.filter(({ fix }) => fix)
    if (fixes.length === 0) console.log('Nothing that could be mended from here.')
    const lines = createInterface({ input: process.stdin, output: process.stdout })
    for (const { check, remedy, fix } of fixes) {
        const answer = await lines.question(`${check}: ${remedy}? [y/N] `)
        if (!/^y(es)?$/i.test(answer.trim())) continue
        try {
            writeFileSync(fix!.path, fix!.text)
            console.log(green('done'))
        } catch (error) {
            console.log(red(`not done: ${(error as Error).message}`))
        }
    }
    lines.close()
}

export const doctor = () =>
    new Command('doctor')
        .description('is this machine fit for it? each finding with the command that mends it')
        .addOption(jsonOption())
        .option('--fix', 'mend the harmless ones, asking before each')
        .action(async (options: ViewOptions & { fix?: boolean }) => {
            const findings = checkMachine()
            if (options.json) console.log(JSON.stringify({ findings }, null, 2))
            else findings.forEach(print)
            if (options.fix && !options.json) await mend(findings)
            if (findings.some(({ level }) => level === 'problem')) process.exitCode = EXIT.failed
        })
