// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the rows of a .def table: MACRO(argument, "text " "in pieces", ...). And writes what was made
 * from one, or, with --check, says whether what is there is still true.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

/** Tokens of C, as far as these tables use them: strings, words, punctuation. */
const TOKEN = /\s+|\/\*[\s\S]*?\*\/|"((?:[^"\\]|\\.)*)"|([\w.-]+)|([(),|])/gy

function* tokens(file, text) {
    for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
        TOKEN.lastIndex = at
        const match = TOKEN.exec(text)
        if (!match) throw new Error(`${file}: cannot be read at: ${text.slice(at, at + 40)}`)
        if (match[1] !== undefined) yield { text: JSON.parse(`"${match[1]}"`), string: true }
        else if (match[2] ?? match[3]) yield { text: match[2] ?? match[3], string: false }
    }
}

/** [{ macro: 'KEY', args: ['stack.cores', ...] }, ...] in the order of the file. */
export function readTable(file) {
    const text = readFileSync(join(root, file), 'utf8').replace(/^#.*(?:\\\n.*)*$/gm, '')
    const rows = []
    let row
    for (const { text: token, string } of tokens(file, text)) {
        if (!row) {
            row = { macro: token, args: undefined }
        } else if (!string && token === '(') {
            row.args = ['']
        } else if (!string && token === ',') {
            row.args.push('')
        } else if (!string && token === ')') {
            rows.push(row)
            row = undefined
        } else {
            row.args[row.args.length - 1] += token
        }
    }
    return rows
}

/** The rows of one macro as objects with these names. */
export function rowsOf(table, macro, names) {
    return table
        .filter((row) => row.macro === macro)
        .map((row) => {
            if (row.args.length !== names.length)
                throw new Error(`${macro}(${row.args[0]}): ${names.length} arguments`)
            return Object.fromEntries(names.map((name, i) => [name, row.args[i]]))
        })
}

const cell = (value) => String(value).replaceAll('|', '\\|')

export function markdownTable(head, rows) {
    return [
        `| ${head.join(' | ')} |`,
        `|${head.map(() => '---').join('|')}|`,
        ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
        '',
    ].join('\n')
}

/** JSON as the formatter of this project writes it: what fits on a line stays on it. */
export function formatJson(value, indent = '', prefixLength = 0) {
    if (value === null || typeof value !== 'object') return JSON.stringify(value)
    const inner = `${indent}    `
    const entries = Object.entries(value)
    if (Array.isArray(value)) {
        const line = `[${value.map((one) => formatJson(one, inner)).join(', ')}]`
        if (!line.includes('\n') && !line.includes('{') && indent.length + prefixLength + line.length < 110)
            return line
        return `[\n${value.map((one) => inner + formatJson(one, inner)).join(',\n')}\n${indent}]`
    }
    if (entries.length === 0) return '{}'
    const lines = entries.map(([key, one]) => {
        const name = `${JSON.stringify(key)}: `
        return inner + name + formatJson(one, inner, name.length)
    })
    return `{\n${lines.join(',\n')}\n${indent}}`
}

/** Writes the files ({ path: text }), or with --check compares them and fails if one is stale. */
export function generate(files) {
    const check = process.argv.includes('--check')
    const script = `tools/generate/${basename(process.argv[1])}`
    for (const [path, text] of Object.entries(files)) {
        const full = join(root, path)
        if (existsSync(full) && readFileSync(full, 'utf8') === text) continue
        if (check) {
            console.error(`${path} is stale; run: node ${script}`)
            process.exitCode = 1
        } else {
            mkdirSync(dirname(full), { recursive: true })
            writeFileSync(full, text)
            console.log(`${path} written`)
        }
    }
}
