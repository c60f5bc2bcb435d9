// SPDX-License-Identifier: Apache-2.0
// Each setting wrong once, and ports that cannot be: the error names the key, the value and the remedy.
import t from 'tap'
import { runNode } from './support/stack.js'

/* The message of a start that must fail. */
function failureOf(options: unknown, env: NodeJS.ProcessEnv = {}): string {
    const code = `
        import { runtime } from 'pronghorn'
        try {
            runtime.start(JSON.parse(process.env.TEST_OPTIONS))
            console.log('it started')
        } catch (error) {
            console.log(error.message)
        }
        process.exit(0)
    `
    const { stdout, stderr } = runNode(code, { TEST_OPTIONS: JSON.stringify(options), ...env })
    return stdout.trim() || stderr
}

const cases: [string, unknown, RegExp[]][] = [
    ['a misspelt key', { stack: { coers: '1' } }, [/stack\.coers/, /stack\.cores/]],
    ['an unknown section', { stak: { cores: '1' } }, [/stak\.cores/, /stack\.cores/]],
    ['a word that is none', { stack: { idle: 'lazy' } }, [/stack\.idle/, /lazy/, /adaptive/]],
    ['a number that is none', { memory: { packets: 'many' } }, [/memory\.packets/, /many/]],
    ['a number too small', { memory: { packets: 1 } }, [/memory\.packets/, /4096/]],
    ['a number too large', { stack: { caretaker_ms: 100000 } }, [/stack\.caretaker_ms/, /100000/, /1000/]],
    ['a core that does not exist', { stack: { cores: '1000' }, port: 'null' }, [/stack\.cores/, /1000/]],
    ['a device that does not exist', { port: 'af_paket,iface=x' }, [/af_paket/, /af_packet/]],
    ['an interface that does not exist', { port: 'af_packet,iface=nope0' }, [/nope0/]],
    ['an interface left out', { port: 'af_packet,address=10.0.0.1/24' }, [/iface/]],
    ['an address without a length', { port: 'wire,address=10.0.0.1' }, [/10\.0\.0\.1/, /\/24|prefix|length/]],
    ['an address that is none', { port: 'wire,address=10.0.0.300/24' }, [/10\.0\.0\.300/]],
    ['a misspelt key of a port', { port: 'wire,adress=10.0.0.1/24' }, [/adress/, /address/]],
    ['a card that does not exist', { port: '0000:ff:1f.7' }, [/0000:ff:1f\.7/]],
]
for (const [name, options, expected] of cases) {
    t.test(name, async (t) => {
        const message = failureOf(options)
        for (const pattern of expected) t.match(message, pattern)
        t.not(message, 'it started')
    })
}

t.test('by environment', async (t) => {
    t.match(failureOf({}, { PRONGHORN_STACK_IDLE: 'lazy' }), /PRONGHORN_STACK_IDLE|stack\.idle/)
    t.match(failureOf({}, { PRONGHORN_STAK_IDLE: 'poll' }), /PRONGHORN_STAK_IDLE/)
})
