// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { Command } from 'commander'
import { listProcesses, readSegment } from '../stats/index.js'
import { EXIT } from './failure.js'
import { checkInterface } from './interfaces.js'
import { checkMachine, type Finding, type Fix } from './machine.js'
import { cyan, green, red, yellow } from './text.js'
import { jsonOption, type ViewOptions } from './view.js'

const mark = { ok: () => green('ok  '), note: () => yellow('note'), problem: () => red('BAD ') }

function print({ check, level, what, remedy }: Finding): void {
    console.log(`${mark[level]()}  ${check.padEnd(16)} ${what}`)
    if (remedy) console.log(`${' '.repeat(23)}${cyan(remedy)}`)
}

function apply(fix: Fix): void {
    if ('path' in fix) {
        writeFileSync(fix.path, fix.text)
        return
    }
    const [program, ...args] = fix.command
    const { status, stderr, error } = spawnSync(program!, args, { encoding: 'utf8' })
    if (error) throw error
    if (status !== 0) throw new Error(stderr.trim() || `${program} ended with ${status}`)
}

/** Those that the running processes stand on. */
function interfacesInUse(): string[] {
    const names = listProcesses().flatMap(({ pid }) => {
        try {
            return readSegment(pid, { sockets: false }).facts.ports.map((port) => port.interface)
        } catch {
            return [] // it just ended
        }
    })
    return [...new Set(names.filter((name) => name !== ''))]
}

/** Asks before each; who answers nothing gets nothing done. */
async function mend(findings: Finding[]): Promise<void> {
    const fixes = findings.filter(({ fix }) => fix)
    if (fixes.length === 0) console.log('Nothing that could be mended from here.')
    const lines = createInterface({ input: process.stdin, output: process.stdout })
    for (const { check, remedy, fix } of fixes) {
        const answer = await lines.question(`${check}: ${remedy}? [y/N] `)
        if (!/^y(es)?$/i.test(answer.trim())) continue
        try {
            apply(fix!)
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
        .argument('[interface...]', 'those to look at besides those that processes stand on')
        .option('--fix', 'mend the harmless ones, asking before each')
        .action(async (interfaces: string[], options: ViewOptions & { fix?: boolean }) => {
            const findings = [
                ...checkMachine(),
                ...[...new Set([...interfacesInUse(), ...interfaces])].flatMap(checkInterface),
            ]
            if (options.json) console.log(JSON.stringify({ findings }, null, 2))
            else findings.forEach(print)
            if (options.fix && !options.json) await mend(findings)
            if (findings.some(({ level }) => level === 'problem')) process.exitCode = EXIT.failed
        })
