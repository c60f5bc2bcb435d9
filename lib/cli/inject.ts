// SPDX-License-Identifier: Apache-2.0
import { Command, Option } from 'commander'
import { ask } from './console.js'
import { EXIT, Failure } from './failure.js'
import { red } from './text.js'
import { bitrate, duration, share, whole } from './units.js'
import { choosePid, pidOption, type ViewOptions } from './view.js'

interface Options extends ViewOptions {
    off?: boolean
    stack?: number
    port?: number
    direction: 'in' | 'out' | 'both'
    filter?: string
    delay?: number
    jitter?: number
    loss?: number
    duplicate?: number
    reorder?: number
    corrupt?: number
    rate?: number
    seed?: number
}

export const DIRECTIONS = { in: 1, out: 2, both: 3 }

export const directionOption = () =>
    new Option('--direction <way>', 'in, out or both').choices(Object.keys(DIRECTIONS)).default('both')

export const inject = () =>
    new Command('inject')
        .description('a bad network on purpose, for rehearsals; it lasts until --off')
        .addOption(pidOption())
        .option('--off', 'end all faults')
        .option('--loss <share>', 'packets that vanish: 1%', share)
        .option('--delay <time>', 'each packet waits: 10ms', duration)
        .option('--jitter <time>', 'and up to so much longer', duration)
        .option('--duplicate <share>', 'packets that come twice', share)
        .option('--reorder <share>', 'packets that overtake those that wait (needs --delay)', share)
        .option('--corrupt <share>', 'packets with a flipped bit', share)
        .option('--rate <rate>', 'no faster than: 10mbit', bitrate)
        .option('--seed <number>', 'the same seed, the same fates', whole)
        .addOption(directionOption())
        .option('-s, --stack <id>', 'one stack only', whole)
        .option('--port <id>', 'one port only', whole)
        .option('-f, --filter <expression>', "one flow only, in tcpdump's language")
        .addHelpText(
            'after',
            `
Examples:
  pronghorn inject --loss 1% --delay 20ms --seed 7
  pronghorn inject --rate 10mbit --filter 'tcp port 443'
  pronghorn inject --off`,
        )
        .action(async (options: Options) => {
            const target = { ...options, pid: `${choosePid(options)}` }
            if (options.off) {
                await ask(target, 'inject', { off: true })
                console.log('No faults are injected any more.')
                return
            }
            const { delay, jitter, loss, duplicate, reorder, corrupt, rate } = options
            if ([delay, jitter, loss, duplicate, reorder, corrupt, rate].every((value) => !value))
                throw new Failure(
                    'which fault? --loss, --delay, --duplicate, --reorder, --corrupt, --rate, or --off',
                    EXIT.usage,
                )
            const answer = await ask(target, 'inject', {
                delay_us: delay,
                jitter_us: jitter,
                loss_ppm: loss,
                duplicate_ppm: duplicate,
                reorder_ppm: reorder,
                corrupt_ppm: corrupt,
                rate_bits: rate,
                seed: options.seed,
                directions: DIRECTIONS[options.direction],
                stack: options.stack,
                port: options.port,
                filter: options.filter,
            })
            console.log(
                red(
                    `Faults are injected on ${answer.queues} queues of process ${target.pid} (seed ${answer.seed}).`,
                ),
                `\nEnd them with: pronghorn inject --off --pid ${target.pid}`,
            )
        })
