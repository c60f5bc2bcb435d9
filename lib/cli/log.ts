// SPDX-License-Identifier: Apache-2.0
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { Command, Option } from 'commander'
import { open } from './console.js'
import { dim, red, yellow } from './text.js'
import { jsonOption, pidOption, type ViewOptions } from './view.js'

interface Entry {
    time: string
    level: string
    message: string
}

/** The weightiest first, as in the setting log.level. */
const LEVELS = ['error', 'warning', 'info', 'debug']

const paint: Record<string, (text: string) => string> = { error: red, warning: yellow, debug: dim }

function textOf({ time, level, message }: Entry): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing may steer the terminal
    const plain = message.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
    return `${dim(time)} ${(paint[level] ?? String)(level.padEnd(7))} ${plain}`
}

export const log = () =>
    new Command('log')
        .description('the last messages of a process, and with -f those to come')
        .addOption(pidOption())
        .addOption(jsonOption().default(false))
        .option('-f, --follow', 'go on as they come')
        .addOption(
            new Option('-l, --level <level>', 'those of this level and the weightier ones')
                .choices(LEVELS)
                .default('debug'),
        )
        .addHelpText(
            'after',
            `
The process writes them to stderr or to log.file, as text or as JSON (log.format); with --json they are the same
objects, one on each line. What a process does not write (log.level) it does not tell here either.

Examples:
  pronghorn log -f --level warning --pid shop
  pronghorn set log.level debug --pid shop`,
        )
        .action(async (options: ViewOptions & { follow?: boolean; level: string }) => {
            const { socket, rest } = await open(options, 'log', { follow: options.follow })
            const all = async function* () {
                yield rest
                yield* socket
            }
            for await (const line of createInterface(Readable.from(all()))) {
                if (line === '') continue
                const entry = JSON.parse(line) as Entry
                if (LEVELS.indexOf(entry.level) <= LEVELS.indexOf(options.level))
                    process.stdout.write(`${options.json ? line : textOf(entry)}\n`)
            }
            socket.destroy()
        })
