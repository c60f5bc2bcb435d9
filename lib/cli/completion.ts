// SPDX-License-Identifier: Apache-2.0
// The shells ask the tool itself (the hidden command __complete), so that completion knows every
// command and option, and the processes that run.

import { Command } from 'commander'
import { listProcesses } from '../stats/index.js'
import { EXIT, Failure } from './failure.js'

const SCRIPTS: Record<string, string> = {
    bash: `_pronghorn() {
    local IFS=$'\\n'
    COMPREPLY=($(pronghorn __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _pronghorn pronghorn
`,
    zsh: `#compdef pronghorn
_pronghorn() {
    local -a found
    found=("\${(@f)$(pronghorn __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -- $found
}
compdef _pronghorn pronghorn
`,
    fish: `complete -c pronghorn -f -a '(pronghorn __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}

/** What may stand in place of the last of these words. */
export function complete(root: Command, words: string[]): string[] {
    const last = words.at(-1) ?? ''
    const previous = words.at(-2)
    let command = root
    for (const word of words.slice(0, -1)) {
        const next = command.commands.find((child) => child.name() === word || child.aliases().includes(word))
        if (next) command = next
    }
    const option = command.options.find(
        ({ short, long }) => previous && (short === previous || long === previous),
    )
    let choices: string[]
    if (option?.argChoices) choices = option.argChoices
    else if (option?.long === '--pid' || (command.name() === 'explain' && !last.startsWith('-')))
        choices = listProcesses().flatMap(({ pid, name }) => [`${pid}`, name])
    else if (option?.required) choices = []
    else
        choices = [
            ...command.commands.filter((child) => !child.name().startsWith('_')).map((child) => child.name()),
            ...(last.startsWith('-')
                ? [...command.options.filter(({ hidden }) => !hidden).map(({ long }) => long ?? ''), '--help']
                : []),
        ]
    return [...new Set(choices)].filter((choice) => choice !== '' && choice.startsWith(last)).sort()
}

export const completion = () =>
    new Command('completion')
        .description('a script for your shell: source <(pronghorn completion bash)')
        .argument('<shell>', Object.keys(SCRIPTS).join(', '))
        .action((shell: string) => {
            const script = SCRIPTS[shell]
            if (!script)
                throw new Failure(
                    `no completion for "${shell}"; there is ${Object.keys(SCRIPTS).join(', ')}`,
                    EXIT.usage,
                )
            process.stdout.write(script)
        })

export const completer = (root: Command) =>
    new Command('__complete')
        .argument('[words...]')
        .allowUnknownOption()
        .action((words: string[]) => {
            for (const choice of complete(root, words)) console.log(choice)
        })
