// SPDX-License-Identifier: Apache-2.0
/* What --json prints is what docs/cli.schema.json promises, for every command that it names. */
import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import t from 'tap'
import { pronghorn, root, Target } from './support.js'

const target = await Target.start({ PRONGHORN_TRACE_POINTS: 'all' })
t.teardown(() => target.end('SIGKILL'))
await target.tell('echo 10000 10')
await target.tell('datagrams 2')

const ajv = new Ajv({ strict: false, allErrors: true })
const schema = JSON.parse(readFileSync(`${root}docs/cli.schema.json`, 'utf8'))
ajv.addSchema(schema, 'cli')

for (const command of Object.keys(schema.definitions)) {
    t.test(command, async (t) => {
        const validate = ajv.compile({ $ref: `cli#/definitions/${command.replaceAll(' ', '%20')}` })
        const about = /^(doctor|version|demo .*|bench .*|show processes|flight --list)$/.test(command)
            ? []
            : ['--pid', `${target.pid}`]
        const { out } = await pronghorn(...command.split(' '), '--json', ...about)
        t.ok(validate(JSON.parse(out)), JSON.stringify(validate.errors))
    })
}
