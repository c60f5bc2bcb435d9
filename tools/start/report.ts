// SPDX-License-Identifier: Apache-2.0
/* The lines that the main job prints, one per thing tried, and whether all of them went well. */
const NAME_WIDTH = 30

export class Report {
    failed = 0

    title(text: string): void {
        console.log(`\n${text}`)
    }

    note(text: string): void {
        console.log(`  ${text}`)
    }

    /* Runs one check; what it returns is printed, what it throws is the reason of its failure. */
    async check(name: string, work: () => Promise<string>): Promise<void> {
        try {
            const numbers = await work()
            console.log(`  ok      ${name.padEnd(NAME_WIDTH)} ${numbers}`)
        } catch (error) {
            this.failed++
            console.log(`  FAILED  ${name.padEnd(NAME_WIDTH)} ${(error as Error).message}`)
        }
    }
}

export const mib = (bytes: number) => (bytes / 1048576).toFixed(1)
export const gbit = (bytes: number, ms: number) => ((bytes * 8) / ms / 1e6).toFixed(2)
