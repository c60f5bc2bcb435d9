// SPDX-License-Identifier: Apache-2.0
/* How programs of the sanitize build are run: any finding ends them with a failure. */
const root = new URL('..', import.meta.url).pathname

export const sanitizerEnvironment = {
    ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=66:detect_stack_use_after_return=0',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    LSAN_OPTIONS: `suppressions=${root}test/lsan.supp:print_suppressions=0`,
}
