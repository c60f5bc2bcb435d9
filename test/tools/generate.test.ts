// SPDX-License-Identifier: Apache-2.0
/* The generated files are fresh, and no row of the tables is missing from them. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const root = new URL('../..', import.meta.url).pathname
const text = (path: string) => readFileSync(join(root, path), 'utf8')

for (const name of readdirSync(join(root, 'tools/generate')).filter((file) => file.endsWith('.mjs'))) {
    t.test(`${name} has nothing to change`, async (t) => {
        const { status, stderr } = spawnSync(process.execPath, [join('tools/generate', name), '--check'], {
            cwd: root,
            encoding: 'utf8',
        })
        t.equal(stderr, '')
        t.equal(status, 0)
    })
}

t.test('every key of the table is in documentation, types and schema', async (t) => {
    const keys = [...text('native/config/keys.def').matchAll(/^KEY\("([\w.]+)"/gm)].map((match) => match[1]!)
    const documentation = text('docs/configuration.md')
    const types = text('lib/config-types.ts')
    const schema = JSON.parse(text('pronghorn.schema.json'))

    t.ok(keys.length > 30)
    for (const key of keys) {
        const [section, name] = key.split('.')
        t.ok(documentation.includes(`\`${key}\``), key)
        t.ok(types.includes(`${name ?? section}?: `), key)
        t.ok(name ? schema.properties[section!].properties[name] : schema.properties[section!], key)
    }
})

t.test('every counter of the table is in the documentation', async (t) => {
    const rows = text('native/stats/counters.def').matchAll(/^(?:COUNTER|GAUGE|HISTOGRAM|SOCKET)\((\w+)/gm)
    const names = [...rows].map((match) => match[1]!)

    t.ok(names.length > 90)
    for (const name of names) t.ok(text('docs/stats.md').includes(`\`${name}\``), name)
})
