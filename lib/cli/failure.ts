// SPDX-License-Identifier: Apache-2.0
// How the tool ends. Scripts rely on the numbers.

export const EXIT = {
    ok: 0,
    /** It was done, and what was found is not well (doctor, config check), or it failed. */
    failed: 1,
    /** The command line is wrong. */
    usage: 2,
    /** No process of ours, or not the one that was asked for. */
    noProcess: 3,
    /** It exists, but its numbers cannot be read: another user's, damaged, of another version. */
    unreadable: 4,
} as const

/** Ends the command with a message for people and a number for scripts. */
export class Failure extends Error {
    constructor(
        message: string,
        readonly exit: number = EXIT.failed,
    ) {
        super(message)
        this.name = 'Failure'
    }
}
