// SPDX-License-Identifier: Apache-2.0
import { dim, table } from '../text.js'
import { showStats, type ViewOptions, viewCommand } from '../view.js'

export const settings = () =>
    viewCommand('settings', 'the settings in effect, and where each came from')
        .argument('[prefix]', 'only those whose names begin so, for example tcp.')
        .option('-c, --changed', 'only those that are not the default')
        .action((prefix: string | undefined, options: ViewOptions & { changed?: boolean }) =>
            showStats(
                options,
                ({ facts }) => ({
                    settings: facts.settings.filter(
                        ({ key, source }) =>
                            key.startsWith(prefix ?? '') && !(options.changed && source === 'default'),
                    ),
                }),
                (data) =>
                    table(
                        [
                            { head: 'SETTING', value: (row) => row.key },
                            { head: 'VALUE', value: (row) => row.value || '""' },
                            {
                                head: 'FROM',
                                value: (row) => row.source,
                                paint: (word) => (word === 'default' ? dim(word) : word),
                            },
                        ],
                        data.settings,
                    ),
            ),
        )
