// SPDX-License-Identifier: Apache-2.0
/* What holds for every command of the tool, whatever it does: taken from the program's own table, so that
 * a new one is tested as soon as it is there. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type Command, CommanderError } from 'commander'
import t from 'tap'
import { complete } from '../../lib/cli/completion.js'
import { program } from '../../lib/cli/program.js'
import { pronghorn, root, Target, tool } from './support.js'

interface Row {
    path: string[]
    command: Command
}

const rowsOf = (command: Command, path: string[] = []): Row[] => [
    { path, command },
    ...command.commands
        .filter((child) => !child.name().startsWith('_'))
        .flatMap((child) => rowsOf(child, [...path, child.name()])),
]
const rows = rowsOf(program()).slice(1)
const leaves = rows.filter(({ command }) => command.commands.length === 0)
const has = ({ command }: Row, long: string) => command.options.some((option) => option.long === long)

/** What stands for an argument that must be there. Nothing here may change the machine. */
const WORDS: Record<string, string> = {
    card: 'no-such-card',
    shell: 'bash',
    setting: 'log.level',
    value: 'info',
    program: 'true',
}
const argumentsOf = ({ command }: Row) =>
    command.registeredArguments.filter(({ required }) => required).map((each) => WORDS[each.name()] ?? 'x')

/** Parses in this process; the actions are not reached. */
async function parse(...words: string[]) {
    const told = { out: '', err: '', code: -1 }
    const all = program()
    const listen = (command: Command): void => {
        command.configureOutput({
            writeOut: (text) => {
                told.out += text
            },
            writeErr: (text) => {
                told.err += text
            },
        })
        command.commands.forEach(listen)
    }
    listen(all)
    try {
        await all.parseAsync(['node', 'pronghorn', ...words])
    } catch (error) {
        if (!(error instanceof CommanderError)) throw error
        told.code = error.exitCode
    }
    return told
}

t.test('each has help with examples, and refuses what it does not know', async (t) => {
    t.ok(rows.length > 30)
    for (const row of rows) {
        const name = row.path.join(' ')
        const help = await parse(...row.path, '--help')
        t.equal(help.code, 0, name)
        t.match(help.out, new RegExp(`^Usage: pronghorn ${name}`), name)
        t.match(help.out, /\nExamples:\n( {2}.*\S\n?)+/, `${name}: examples`)
        for (const { flags, description, hidden } of row.command.options)
            t.ok(hidden || description, `${name} ${flags} is described`)
        const option = await parse(...row.path, '--no-such-option', ...argumentsOf(row))
        t.equal(option.code, 1, `${name} --no-such-option`)
        t.match(option.err, /unknown option '--no-such-option'/, name)
        if (row.command.registeredArguments.some(({ variadic }) => variadic)) continue
        const many = Array.from({ length: 9 }, () => 'superfluous')
        const more = await parse(...row.path, ...many)
        t.equal(more.code, 1, `${name} superfluous`)
        t.match(more.err, /unknown command 'superfluous'|too many arguments/, name)
    }
    for (const words of [['nosuch'], ['show', '--nosuch'], ['drops', 'nosuch'], ['set', 'log.level']])
        t.equal((await pronghorn(...words)).code, 2, words.join(' '))
})

t.test('the examples are commands that there are', async (t) => {
    for (const { path } of rows) {
        const { out } = await parse(...path, '--help')
        for (const [, line = ''] of out.slice(out.indexOf('Examples:')).matchAll(/pronghorn ([^|#>&)]*)/g)) {
            const words = line.trim().split(/\s+/)
            const known = rows.find((row) => row.path.join(' ') === words.slice(0, row.path.length).join(' '))
            t.ok(known, line)
        }
    }
})

t.test('completion knows every command, and its scripts parse', async (t) => {
    for (const row of rows) {
        const words = [...row.path.slice(0, -1), '']
        t.ok(complete(program(), words).includes(row.path.at(-1)!), row.path.join(' '))
        const options = complete(program(), [...row.path, '--'])
        for (const { long, hidden } of row.command.options)
            t.ok(hidden || options.includes(long!), `${row.path.join(' ')} ${long}`)
    }
    for (const shell of ['bash', 'zsh', 'fish']) {
        const { out, code } = await pronghorn('completion', shell)
        t.equal(code, 0)
        t.match(out, /pronghorn __complete --/)
        // (Where the shell is not installed, nothing can be said.)
        const parsed = spawnSync(shell, ['-n'], { input: out, encoding: 'utf8' })
        if (parsed.error) t.comment(`no ${shell} here`)
        else t.match(parsed, { status: 0, stderr: '' }, shell)
    }
    const script = `source <(node ${tool} completion bash)
        pronghorn() { node ${tool} "$@"; }
        COMP_WORDS=(pronghorn show so); COMP_CWORD=2; _pronghorn; echo "\${COMPREPLY[*]}"`
    t.equal(execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim(), 'sockets')
})

/** Some at a time: each is a process. */
async function forEach<T>(list: T[], run: (each: T) => Promise<void>): Promise<void> {
    const left = [...list]
    await Promise.all(
        [1, 2].map(async () => {
            for (let each = left.shift(); each; each = left.shift()) await run(each)
        }),
    )
}

t.test('no such process: it says which, and code 3', async (t) => {
    const none = '4194305' // more than any pid
    const empty = t.testdir({})
    const dead = await Target.start()
    await dead.end('SIGKILL')
    const withPid = leaves.filter((row) => has(row, '--pid') && !/^(top|run)$/.test(row.path.join(' ')))
    t.ok(withPid.length > 15)
    await forEach(withPid, async (row) => {
        const name = row.path.join(' ')
        const ask = (...words: string[]) => pronghorn(...row.path, ...words, ...argumentsOf(row))
        const missing = await ask('--pid', none)
        t.equal(missing.code, 3, `${name}: ${missing.err}`)
        t.match(missing.err, new RegExp(`^pronghorn: .*${none}`), name)
        const gone = await ask('--pid', `${dead.pid}`)
        t.notMatch(gone.err, /\n\s+at /, `${name}: no stack trace`)
        t.ok([0, 3].includes(gone.code), `${name} of a dead one: ${gone.code} ${gone.err}`)
        if (gone.code === 3) t.match(gone.err, new RegExp(`${dead.pid}`), name)
        const unnamed = await ask('--pid', 'nobody')
        t.match(unnamed, { code: 3, err: /^pronghorn: .*named "nobody"/ }, name)
        if (!has(row, '--directory') || name === 'show processes') return
        const nobody = await ask('--directory', empty)
        t.match(nobody, { code: 3, out: '', err: /^pronghorn: .*(no process|no flight)/ }, name)
    })
})

t.test('the process that is chosen, by its pid or its name, is the one that is shown', async (t) => {
    const [one, other] = [
        await Target.start({ PRONGHORN_RUNTIME_NAME: 'chosen' }),
        await Target.start({ PRONGHORN_RUNTIME_NAME: 'newer' }),
    ]
    t.teardown(() => Promise.all([one, other].map((each) => each.end('SIGKILL'))))
    // Whose numbers these are, wherever a command says it.
    const pidsIn = (answer: Record<string, unknown>) => {
        const {
            process: about,
            processes,
            pid,
        } = answer as {
            process?: { pid: number }
            processes?: { pid: number }[]
            pid?: number
        }
        return [about, ...(processes ?? []), { pid }]
            .map((row) => row?.pid)
            .filter((each) => each !== undefined)
    }
    const views = leaves.filter((row) => has(row, '--watch') && has(row, '--pid') && has(row, '--json'))
    t.ok(views.length > 14)
    await forEach(views, async (row) => {
        const name = row.path.join(' ')
        for (const pid of [`${one.pid}`, 'chosen']) {
            const { out, err } = await pronghorn(...row.path, '--json', '--pid', pid, ...argumentsOf(row))
            t.same(pidsIn(JSON.parse(out || '{}')), [one.pid], `${name} --pid ${pid}: ${err}`)
        }
    })
})

t.test('a reader that leaves early, colours, JSON', async (t) => {
    const target = await Target.start({ PRONGHORN_TRACE_POINTS: 'all' }) // something to watch
    t.teardown(() => target.end('SIGKILL'))
    const of = ['--pid', `${target.pid}`]
    const schema = JSON.parse(readFileSync(`${root}docs/cli.schema.json`, 'utf8'))
    const views = leaves.filter((row) => has(row, '--watch'))
    t.ok(views.length > 10)
    await forEach(views, async (row) => {
        const name = row.path.join(' ')
        t.ok(schema.definitions[name], `${name} --json has a schema`)
        const child = spawn(
            process.execPath,
            [tool, ...row.path, '--watch', '0.05', '--json', ...(has(row, '--pid') ? of : [])],
            {
                env: { ...process.env, NODE_OPTIONS: '' },
            },
        )
        let out = ''
        let err = ''
        child.stderr.on('data', (data) => {
            err += data
        })
        for await (const data of child.stdout) {
            out += data
            if (out.split('\n').length > 2) break // closes the pipe, as head does
        }
        if (child.exitCode === null) await once(child, 'exit')
        t.equal(child.exitCode, 0, `${name}: ${err}`)
        t.equal(err, '', name)
        for (const line of out.split('\n').slice(0, 2)) t.type(JSON.parse(line), 'object', name)
    })
    const colours = (env: object, ...words: string[]) =>
        execFileSync(process.execPath, [tool, ...words, 'show', 'stacks', ...of], {
            env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: undefined, FORCE_COLOR: undefined, ...env },
            encoding: 'utf8',
        }).includes('\u001b[')
    t.equal(colours({}), false, 'no terminal')
    t.equal(colours({}, '--color'), true)
    t.equal(colours({ NO_COLOR: '1' }), false)
    t.equal(colours({ FORCE_COLOR: '1' }, '--no-color'), false)
})
