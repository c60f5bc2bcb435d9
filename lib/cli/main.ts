#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// The tool. It reads shared memory (lib/stats) and, for what changes something, talks to the
// process's console; the addon is not loaded.

import { CommanderError } from 'commander'
import { EXIT, Failure } from './failure.js'
import { program } from './program.js'
import { red } from './text.js'

async function main(): Promise<void> {
    // `pronghorn ... | head` ends us quietly.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EPIPE') process.exit(EXIT.ok)
        throw error
    })
    try {
        await program().parseAsync()
    } catch (error) {
        if (error instanceof CommanderError) {
            process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
        } else if (error instanceof Failure) {
            console.error(`${red('pronghorn:')} ${error.message}`)
            process.exitCode = error.exit
        } else throw error
    }
}

void main()
