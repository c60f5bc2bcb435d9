// SPDX-License-Identifier: Apache-2.0
// Made by tools/generate/forking.mjs from native/fd/forking.def: change it there.
/** Programs that serve each connection in a child, which cannot use our stack. */
export const FORKING: readonly string[] = [
    'postgres',
    'sshd',
    'xinetd',
    'inetd',
    'vsftpd',
    'proftpd',
    'smbd',
    'socat',
    'rsync',
    'master',
]
