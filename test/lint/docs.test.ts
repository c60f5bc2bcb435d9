// SPDX-License-Identifier: Apache-2.0
// The reference of the package is built, and has what a user looks for: the classes with their members, each
// with its comment (typedoc.json makes a missing one an error).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

const root = new URL('../..', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'pronghorn-docs-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

interface Node {
    name: string
    comment?: { summary: unknown[] }
    signatures?: Node[]
    getSignature?: Node
    children?: Node[]
}

const typedoc = join(root, 'node_modules', '.bin', 'typedoc')
const json = join(folder, 'docs.json')
const built = spawnSync(typedoc, ['--out', folder, '--json', json], { cwd: root, encoding: 'utf8' })
t.equal(built.status, 0, 'it is built', { text: built.stdout + built.stderr })
t.ok(existsSync(join(folder, 'index.html')), 'as HTML')

const modules = (JSON.parse(readFileSync(json, 'utf8')) as Node).children ?? []
const find = (among: Node[] | undefined, name: string) => among?.find((one) => one.name === name)

const MEMBERS: [module: string, name: string, members: string[]][] = [
    [
        'net',
        'Socket',
        ['connect', 'write', 'setTimeout', 'setNoDelay', 'info', 'ring', 'remoteAddress', 'bytesRead', 'on'],
    ],
    ['net', 'Server', ['listen', 'close', 'address', 'getConnections', 'maxConnections', 'on']],
    [
        'dgram',
        'Socket',
        ['bind', 'send', 'connect', 'addSourceSpecificMembership', 'setRecvBufferSize', 'ring'],
    ],
    ['ring', 'Ring', ['take', 'release', 'onBatch', 'onMessage', 'messages', 'reserve', 'commit', 'warm']],
    ['ring', 'Template', ['set', 'send', 'close', 'bytes']],
]
for (const [module, name, members] of MEMBERS) {
    const type = find(find(modules, module)?.children, name)
    for (const member of members) {
        const found = find(type?.children, member)
        const said = [found, found?.getSignature, ...(found?.signatures ?? [])].some((one) => one?.comment)
        t.ok(said, `${module}.${name}.${member} is described`)
    }
}

const package_ = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: object }
const entries = Object.keys(package_.exports)
    .filter((entry) => !['./package.json', './register'].includes(entry))
    .map((entry) => (entry === '.' ? 'index' : entry.slice(2)))
t.strictSame(modules.map(({ name }) => name).sort(), entries.sort(), 'every entry of the package is there')
