// SPDX-License-Identifier: Apache-2.0
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { Command } from 'commander'
import { open } from './console.js'
import { dim, red, yellow } from './text.js'
import { jsonOption, pidOption, type ViewOptions } from './view.js'

interface Entry {
    time_ms: number
    level: string
    text: string
}

const paint: Record<string, (text: string) => string> = { error: red, warning: yellow, debug: dim }

function textOf({ time_ms, level, text }: Entry): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing may steer the terminal
    const plain = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
    return `${dim(new Date(time_ms).toISOString())} ${(paint[level] ?? String)(level.padEnd(7))} ${plain}`
}

export const log = () =>
    new Command('log')
        .description('the last messages of a process, and with -f those to come')
        .addOption(pidOption())
        .addOption(jsonOption().default(false))
        .option('-f, --follow', 'go on as they come')
        .action(async (options: ViewOptions & { follow?: boolean }) => {
            const { socket, rest } = await open(options, 'log', { follow: options.follow })
            const all = async function* () {
                yield rest
                yield* socket
            }
            for await (const line of createInterface(Readable.from(all()))) {
                if (line === '') continue
                process.stdout.write(`${options.json ? line : textOf(JSON.parse(line) as Entry)}\n`)
            }
            socket.destroy()
        })
