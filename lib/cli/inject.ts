// SPDX-License-Identifier: Apache-2.0
import { Argument, type Command, Option } from 'commander'
import { ask } from './console.js'
import { EXIT, Failure } from './failure.js'
import { dim, whole as grouped, micros, red, short, table } from './text.js'
import { bitrate, duration, share, whole } from './units.js'
import { choosePid, headLine, processOf, readChosen, show, type ViewOptions, viewCommand } from './view.js'

interface Options extends ViewOptions {
    off?: boolean
    stack?: number
    port?: number
    direction: keyof typeof DIRECTIONS
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

/** As the console tells it; what is 0 does not happen. */
interface FaultSet {
    number: number
    stack?: number
    port?: number
    directions: number
    filter?: string
    delay_us: number
    jitter_us: number
    loss_ppm: number
    duplicate_ppm: number
    reorder_ppm: number
    corrupt_ppm: number
    rate_bits: number
    seed: number
    queues: number
    /** An earlier set that takes all that this one would; 0: none. */
    hidden_by: number
    packets: number
    lost: number
    overrun: number
    duplicated: number
    reordered: number
    corrupted: number
    held: number
}

export const DIRECTIONS = { in: 1, out: 2, both: 3 }
const SETS_MAX = 8

export const directionOption = () =>
    new Option('--direction <way>', 'in, out or both').choices(Object.keys(DIRECTIONS)).default('both')

const shareText = (ppm: number) => (ppm < 100 ? `${ppm}ppm` : `${Number((ppm / 10_000).toPrecision(6))}%`)

/** As it would be ordered: "loss 1%, delay 20ms". */
function faultsText(set: FaultSet): string {
    const { delay_us, jitter_us, rate_bits } = set
    const shares = [
        ['loss', set.loss_ppm],
        ['duplicate', set.duplicate_ppm],
        ['reorder', set.reorder_ppm],
        ['corrupt', set.corrupt_ppm],
    ] as const
    return [
        ...shares.filter(([, ppm]) => ppm > 0).map(([name, ppm]) => `${name} ${shareText(ppm)}`),
        ...(delay_us > 0 ? [`delay ${micros(delay_us)}`] : []),
        ...(jitter_us > 0 ? [`jitter ${micros(jitter_us)}`] : []),
        ...(rate_bits > 0 ? [`rate ${short(rate_bits, 'bit')}`] : []),
    ].join(', ')
}

/** Whose packets it takes: "stack 0, out, udp port 53". */
function packetsText({ stack, port, directions, filter }: FaultSet): string {
    const way = directions === DIRECTIONS.in ? ['in'] : directions === DIRECTIONS.out ? ['out'] : []
    return (
        [
            ...(stack === undefined ? [] : [`stack ${stack}`]),
            ...(port === undefined ? [] : [`port ${port}`]),
            ...way,
            ...(filter === undefined ? [] : [filter]),
        ].join(', ') || 'all'
    )
}

function listText(sets: FaultSet[]): string {
    if (sets.length === 0) return 'No faults are injected.'
    const number = (head: string, value: (set: FaultSet) => number) => ({
        head,
        value: (set: FaultSet) => grouped(value(set)),
        right: true,
    })
    const lines = table<FaultSet>(
        [
            { head: 'SET', value: (set) => set.number, right: true },
            number('PACKETS', (set) => set.packets),
            number('LOST', (set) => set.lost + set.overrun),
            number('TWICE', (set) => set.duplicated),
            number('REORDERED', (set) => set.reordered),
            number('CORRUPT', (set) => set.corrupted),
            number('HELD', (set) => set.held),
            { head: 'SEED', value: (set) => set.seed, right: true },
            { head: 'FAULTS', value: faultsText },
            { head: 'OF', value: packetsText },
        ],
        sets,
    )
    const notes = sets
        .filter((set) => set.hidden_by > 0)
        .map((set) => `Set ${set.number} gets nothing: set ${set.hidden_by} takes all of its packets before.`)
    return [lines, ...notes, dim('pronghorn inject off ends all of them, inject off N one')].join('\n')
}

async function list(options: Options): Promise<void> {
    let head = ''
    await show(options, {
        collect: async () => {
            const stats = readChosen(options, { sockets: false })
            head = headLine(stats)
            const { sets } = (await ask(options, 'inject', { show: true })) as unknown as { sets: FaultSet[] }
            return { process: processOf(stats), sets }
        },
        text: ({ sets }) => `${head}\n${listText(sets)}`,
    })
}

async function end(options: Options, number: number | undefined): Promise<void> {
    await ask(options, 'inject', { off: true, number })
    if (options.json) return list(options)
    const { sets } = (await ask(options, 'inject', { show: true })) as unknown as { sets: FaultSet[] }
    if (sets.length === 0) console.log('No faults are injected any more.')
    else
        console.log(
            `Set ${number} is no longer injected; still in force: ${sets.map((set) => set.number).join(', ')}.`,
        )
}

async function begin(options: Options, number: number | undefined): Promise<void> {
    const { delay, jitter, loss, duplicate, reorder, corrupt, rate } = options
    const { hidden_by, ...set } = (await ask(options, 'inject', {
        number,
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
    })) as unknown as FaultSet
    if (options.json || options.watch) return list(options)
    console.log(
        red(
            `Faults are injected on ${set.queues} queues of process ${options.pid} ` +
                `(set ${set.number}, seed ${set.seed}).`,
        ),
    )
    if (hidden_by > 0)
        console.log(
            `It gets nothing: set ${hidden_by} takes all of its packets before. Give that one a higher number.`,
        )
    console.log(`End them with: pronghorn inject off ${set.number} --pid ${options.pid}`)
}

const anyFault = ({ delay, jitter, loss, duplicate, reorder, corrupt, rate }: Options) =>
    [delay, jitter, loss, duplicate, reorder, corrupt, rate].some((value) => value)

/** The words: nothing, "show", "off", "off N", or "N" with the faults that it is to have. */
async function run(what: string | undefined, which: string | undefined, options: Options, command: Command) {
    const number = (text: string | undefined) => {
        if (text === undefined) return undefined
        if (!/^[1-9]\d*$/.test(text) || Number(text) > SETS_MAX)
            throw new Failure(`"${text}" is no set: their numbers are 1 to ${SETS_MAX}`, EXIT.usage)
        return Number(text)
    }
    const off = options.off || what === 'off'
    if (off && what !== 'off' && which !== undefined)
        throw new Failure('inject off N, or inject --off', EXIT.usage)
    if (which !== undefined && what !== 'off' && what !== 'show')
        throw new Failure('one set at a time', EXIT.usage)
    const set = number(off && what !== 'off' ? what : what === 'off' || what === 'show' ? which : what)
    // (What only narrows a fault down is none; who gave that meant to order one.)
    const ordered = ['stack', 'port', 'direction', 'filter', 'seed'].some(
        (name) => command.getOptionValueSource(name) === 'cli',
    )
    if (what === 'show' && (set !== undefined || ordered || anyFault(options)))
        throw new Failure('inject show takes no more than --pid, --json and --watch', EXIT.usage)
    if (off && (ordered || anyFault(options)))
        throw new Failure('which? inject off, or faults that begin', EXIT.usage)
    const target = { ...options, pid: `${choosePid(options)}` }
    if (off) return end(target, set)
    if (anyFault(options)) return begin(target, set)
    if (what !== 'show' && (set !== undefined || ordered))
        throw new Failure(
            'which fault? --loss, --delay, --duplicate, --reorder, --corrupt, --rate; or inject off',
            EXIT.usage,
        )
    return list(target)
}

export const inject = () =>
    viewCommand('inject', 'a bad network on purpose, for rehearsals, until it is switched off')
        .addArgument(
            new Argument('[what]', `show what is in force, off, or a set's number (1 to ${SETS_MAX})`),
        )
        .argument('[set]', 'off: that set alone')
        .option('--off', 'the same as off')
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
Up to ${SETS_MAX} sets may be in force, each with packets of its own. A packet is treated by the first set, by number,
that it matches, and by no other. A new one takes the place of the set that chooses the very same packets, else the
lowest number that is free; with a number, that one's.

Examples:
  pronghorn inject --loss 1% --delay 20ms --seed 7
  pronghorn inject --rate 10mbit --filter 'tcp port 443'
  pronghorn inject 8 --delay 5ms                   all that no other set takes
  pronghorn inject                                 what is in force, and what each set did
  pronghorn inject off 8
  pronghorn inject off`,
        )
        .action(run)
