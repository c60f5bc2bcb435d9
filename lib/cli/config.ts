// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { EXIT, Failure } from './failure.js'
import { settings } from './show/settings.js'
import { green, red } from './text.js'
import { packageRoot } from './version.js'
import { jsonOption, type ViewOptions } from './view.js'

const schemaText = () => readFileSync(join(packageRoot(), 'pronghorn.schema.json'), 'utf8')

interface Problem {
    setting: string
    problem: string
}

/** Letters that differ, for "did you mean": good enough for a handful of names. */
function distance(a: string, b: string): number {
    const row = Array.from({ length: b.length + 1 }, (_, i) => i)
    for (let i = 1; i <= a.length; i++) {
        let diagonal = row[0]!
        row[0] = i
        for (let j = 1; j <= b.length; j++) {
            const above = row[j]!
            row[j] = Math.min(above + 1, row[j - 1]! + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1))
            diagonal = above
        }
    }
    return row[b.length]!
}

function nearest(name: string, names: string[]): string {
    const [best] = names.map((known) => ({ known, far: distance(name, known) })).sort((a, b) => a.far - b.far)
    return best && best.far <= Math.max(2, name.length / 3) ? `; did you mean ${best.known}?` : ''
}

async function check(file: string): Promise<Problem[]> {
    const { Ajv } = await import('ajv')
    let value: unknown
    try {
        value = JSON.parse(readFileSync(file, 'utf8'))
    } catch (error) {
        return [{ setting: '', problem: (error as Error).message }]
    }
    const validate = new Ajv({ strict: false, allErrors: true, verbose: true }).compile(
        JSON.parse(schemaText()),
    )
    if (validate(value)) return []
    return (validate.errors ?? [])
        .filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'oneOf')
        .map(({ instancePath, message = '', params, parentSchema }) => {
            const setting = instancePath.slice(1).replaceAll('/', '.')
            const unknown = params.additionalProperty as string | undefined
            if (unknown === undefined) {
                const allowed = params.allowedValues
                    ? `: ${(params.allowedValues as unknown[]).join(', ')}`
                    : ''
                return { setting, problem: `${message}${allowed}` }
            }
            const names = Object.keys((parentSchema as { properties?: object })?.properties ?? {})
            return {
                setting: setting ? `${setting}.${unknown}` : unknown,
                problem: `there is no such setting${nearest(unknown, names)}`,
            }
        })
}

export const config = () =>
    new Command('config')
        .description('settings: check a file, print those of a process, the JSON schema')
        .addCommand(
            new Command('check')
                .description('is this file right? (default: PRONGHORN_CONFIG, or pronghorn.json here)')
                .argument('[file]')
                .addOption(jsonOption())
                .action(async (file: string | undefined, options: ViewOptions) => {
                    const name = file ?? process.env.PRONGHORN_CONFIG ?? 'pronghorn.json'
                    if (!existsSync(name)) throw new Failure(`${name}: there is no such file`)
                    const problems = await check(name)
                    if (options.json) console.log(JSON.stringify({ file: name, problems }, null, 2))
                    else if (problems.length === 0)
                        console.log(green(`${name}: every setting is known and within its limits`))
                    else
                        for (const { setting, problem } of problems)
                            console.log(red(`${name}: ${setting}: ${problem}`))
                    if (problems.length) process.exitCode = EXIT.failed
                }),
        )
        .addCommand(
            settings().name('print').description('the settings of a live process, and where each came from'),
        )
        .addCommand(
            new Command('schema').description('the JSON schema of pronghorn.json, for editors').action(() => {
                process.stdout.write(schemaText())
            }),
        )
