// SPDX-License-Identifier: Apache-2.0
// Runs an unmodified program on our stacks: the preload shim and the settings go into its environment.
// What cannot be served (static programs, Go, set-uid) is refused here, with the reason.

import { spawn } from 'node:child_process'
import {
    accessSync,
    closeSync,
    constants,
    existsSync,
    openSync,
    readFileSync,
    readSync,
    statSync,
} from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { EXIT, Failure } from './failure.js'
import { FORKING } from './forking.js'
import { dim } from './text.js'

interface Options {
    config?: string
    port: string[]
    route: string[]
    quiet?: boolean
}

const SHIM = 'libpronghorn-preload.so'

/** Beside the addon: in a checkout's build, or in the package's prebuild. */
function findShim(): string {
    let folder = dirname(fileURLToPath(import.meta.url))
    while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder)
    const places = [
        ...(process.env.PRONGHORN_BUILD_FOLDER ? [process.env.PRONGHORN_BUILD_FOLDER] : []),
        join(folder, 'build/release'),
        join(folder, `prebuilds/linux-${process.arch}`),
        join(folder, 'build/debug'),
        '/usr/local/lib',
    ]
    const found = places.map((place) => join(place, SHIM)).find((path) => existsSync(path))
    if (found) return found
    throw new Failure(`${SHIM} is not there: looked in ${places.join(', ')}; build it with npm run build`)
}

function executable(path: string): boolean {
    try {
        accessSync(path, constants.X_OK)
        return statSync(path).isFile()
    } catch {
        return false
    }
}

/** As the shell would find it. */
function findProgram(name: string): string {
    if (name.includes('/')) {
        if (executable(name)) return resolve(name)
        throw new Failure(`${name}: ${existsSync(name) ? 'not executable' : 'no such program'}`, 127)
    }
    for (const folder of (process.env.PATH ?? '').split(':')) {
        const path = join(folder || '.', name)
        if (executable(path)) return resolve(path)
    }
    throw new Failure(`${name}: no such program in PATH`, 127)
}

function head(path: string, bytes: number): Buffer {
    const fd = openSync(path, 'r')
    try {
        const buffer = Buffer.alloc(bytes)
        return buffer.subarray(0, readSync(fd, buffer, 0, bytes, 0))
    } finally {
        closeSync(fd)
    }
}

const MACHINES: Record<string, number> = { x64: 62, arm64: 183 }
const PT_INTERP = 3

/** Why the program at `path` cannot be served, or undefined. Scripts are as good as their interpreter. */
export function whyNot(path: string, depth = 0): string | undefined {
    let start: Buffer
    try {
        start = head(path, 4096)
    } catch {
        return undefined // unreadable, but perhaps executable: the shim will tell
    }
    const about = statSync(path)
    if ((about.mode & 0o4000 && about.uid !== process.getuid?.()) || (about.mode & 0o2010) === 0o2010)
        return 'it is set-uid or set-gid, and the system loads no shim into such programs'
    if (start.subarray(0, 2).toString('latin1') === '#!') {
        const [interpreter, argument] = start.toString('latin1').slice(2).split('\n')[0]!.trim().split(/\s+/)
        if (!interpreter || depth > 3) return undefined
        if (interpreter.endsWith('/env') && argument && !argument.startsWith('-')) {
            try {
                return whyNot(findProgram(argument), depth + 1)
            } catch {
                return undefined
            }
        }
        return existsSync(interpreter) ? whyNot(interpreter, depth + 1) : undefined
    }
    if (start.subarray(0, 4).toString('latin1') !== '\x7fELF') return undefined
    if (start[4] !== 2) return 'it is a 32-bit program'
    if (MACHINES[process.arch] !== undefined && start.readUInt16LE(18) !== MACHINES[process.arch])
        return 'it is for another processor'
    const at = Number(start.readBigUInt64LE(32))
    const [size, count] = [start.readUInt16LE(54), start.readUInt16LE(56)]
    let dynamic = false
    for (let i = 0; i < count && at + (i + 1) * size <= start.length; i++)
        if (start.readUInt32LE(at + i * size) === PT_INTERP) dynamic = true
    const whole = about.size < 512 << 20 ? readFileSync(path) : start
    if (whole.includes('\xff Go buildinf:', 0, 'latin1'))
        return 'it is a Go program, which makes its system calls without libc'
    if (!dynamic) return 'it is statically linked, so that no shim can be loaded into it'
    return undefined
}

/** A setting's lines, as far as they can be told without the core: for the one line that we say. */
function linesOf(key: 'port' | 'route', env: NodeJS.ProcessEnv): string[] {
    const given = env[`PRONGHORN_${key.toUpperCase()}`]
    if (given) return given.split(/[;\n]/).filter(Boolean)
    const file = env.PRONGHORN_CONFIG || 'pronghorn.json'
    try {
        const value = JSON.parse(readFileSync(file, 'utf8'))[key]
        const list = typeof value === 'string' ? value.split(';') : (value ?? []) // as the core reads it
        return list.map((one: string | Record<string, unknown>) =>
            typeof one === 'string'
                ? one
                : [one.device, ...[one.address ?? []].flat().map((address) => `address=${address}`)].join(
                      ',',
                  ),
        )
    } catch {
        return []
    }
}

/** Whether a rule may take sockets on loopback: it names some of its addresses, or none at all. */
function mayTakeLoopback(rule: string): boolean {
    const [verdict, ...conditions] = rule.split(',').map((part) => part.trim())
    if (verdict !== 'ours' && verdict !== 'both') return false
    const network = conditions.find((condition) => condition.startsWith('address='))?.slice(8)
    if (network === undefined) return true
    const [address, bits] = network.split('/') as [string, string?]
    if (isIP(address) === 0) return false
    const four = isIP(address) === 4
    const [family, most, home, homeBits] = four
        ? (['ipv4', 32, '127.0.0.1', 8] as const)
        : (['ipv6', 128, '::1', 128] as const)
    const loopback = new BlockList()
    loopback.addSubnet(home, homeBits, family)
    const length = bits === undefined ? most : Number(bits)
    if (!(length >= 0 && length <= most)) return false // the core says what is wrong
    const named = new BlockList()
    named.addSubnet(address, length, family)
    return loopback.check(address, family) || named.check(home, family)
}

/** What is known of the program itself: whether its listeners could be ours without a rule. */
function forks(name: string): string {
    return FORKING.includes(basename(name))
        ? "; it serves each connection in a child, so its listeners are the kernel's"
        : ''
}

export function summary(name: string, env: NodeJS.ProcessEnv): string {
    const addresses = linesOf('port', env).flatMap((line) =>
        [...line.matchAll(/(?:^|,)address=([^,/]+)/g)].map(([, address]) => address),
    )
    const routes = linesOf('route', env)
    const rules =
        routes.length === 0 ? '' : `; ${routes.length} rule${routes.length === 1 ? '' : 's'} of yours first`
    if (addresses.length === 0 && routes.length === 0)
        return `${name}: nothing is accelerated: no port is configured (--port, --config)`
    if (addresses.length === 0) return `${name}: accelerated is what your rules say; all else is the kernel's`
    const loopback = routes.some(mayTakeLoopback) ? 'loopback goes by your rules; ' : 'loopback, '
    return (
        `${name}: TCP and UDP on ${addresses.join(', ')} run on Pronghorn${rules}; ` +
        `${loopback}UNIX sockets and other interfaces stay with the kernel${forks(name)}`
    )
}

function environment(options: Options): NodeJS.ProcessEnv {
    const shim = findShim()
    const env = { ...process.env }
    env.LD_PRELOAD = [shim, env.LD_PRELOAD].filter(Boolean).join(':')
    if (options.config) {
        const file = resolve(options.config)
        if (!existsSync(file)) throw new Failure(`${options.config}: there is no such file`, EXIT.usage)
        env.PRONGHORN_CONFIG = file
    }
    if (options.port.length) env.PRONGHORN_PORT = options.port.join(';')
    if (options.route.length) env.PRONGHORN_ROUTE = options.route.join(';')
    return env
}

const FORWARDED = [
    'SIGINT',
    'SIGTERM',
    'SIGHUP',
    'SIGQUIT',
    'SIGUSR1',
    'SIGUSR2',
    'SIGWINCH',
    'SIGCONT',
] as const

function execute(program: string, name: string, args: string[], env: NodeJS.ProcessEnv): void {
    const child = spawn(program, args, { stdio: 'inherit', env, argv0: name })
    for (const signal of FORWARDED) {
        // What the terminal sends, it sends to the whole group: the child has it already.
        process.on(signal, () => {
            if (!(process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT'))) child.kill(signal)
        })
    }
    child.on('error', (error) => {
        console.error(`pronghorn: ${name}: ${error.message}`)
        process.exit(126)
    })
    child.on('exit', (status, signal) => {
        if (signal === null) process.exit(status ?? 1)
        for (const one of FORWARDED) process.removeAllListeners(one)
        process.kill(process.pid, signal)
        setTimeout(() => process.exit(1), 1000) // a signal that does not end us
    })
}

const collect = (value: string, before: string[]) => [...before, value]

export const run = () =>
    new Command('run')
        .description('run an unmodified program: its sockets on our addresses are ours')
        .argument('<program>', 'any dynamically linked program')
        .argument('[args...]', 'its arguments')
        .option('-c, --config <file>', 'settings (docs/configuration.md)')
        .option('--port <line>', 'a network port; may be repeated', collect, [])
        .option(
            '--route <rule>',
            'whose sockets are whose; may be repeated, the first that fits',
            collect,
            [],
        )
        .option('-q, --quiet', 'do not say what is accelerated')
        .passThroughOptions()
        .addHelpText(
            'after',
            `
Examples:
  pronghorn run --port af_packet,iface=eth1,address=10.0.0.2/24 -- redis-server --port 6379
  pronghorn run -c pronghorn.json -- nginx -g 'daemon off;'
  pronghorn run --route ours,address=127.0.0.0/8 -- ./test-suite

What becomes of each socket, and why: pronghorn explain. Rules: docs/legacy-programs.md.`,
        )
        .action((name: string, args: string[], options: Options) => {
            const program = findProgram(name)
            const why = whyNot(program)
            if (why) throw new Failure(`${name} cannot run on Pronghorn: ${why}`, 126)
            const env = environment(options)
            if (!options.quiet) console.error(dim(`pronghorn: ${summary(name, env)}`))
            execute(program, name, args, env)
        })
