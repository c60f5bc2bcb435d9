// SPDX-License-Identifier: Apache-2.0
// Every call that programs make on their sockets has a row of the shim, or a reason to have none.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { shim, skipWithout } from './support.js'

skipWithout(shim)

const words = (text: string) => text.trim().split(/\s+/)

/* As seen in the dynamic symbols and traces of some forty servers, clients and language runtimes. */
const called = words(`
    socket bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt
    send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg read write readv writev
    __read_chk __recv_chk __recvfrom_chk sendfile sendfile64 splice preadv2 pwritev2 preadv64v2 pwritev64v2
    close close_range closefrom dup dup2 dup3 fcntl fcntl64 ioctl sockatmark fdopen
    dprintf vdprintf __dprintf_chk __vdprintf_chk
    poll ppoll __poll_chk __ppoll_chk select pselect epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    vfork _exit _Exit quick_exit execl execlp execle execv execve execvp execvpe fexecve execveat syscall
    setuid setreuid setresuid`)

const withoutRow = {
    'a real socket of the kernel is behind each number': 'fstat fstat64 __fxstat __fxstat64 statx',
    "the numbers are the kernel's, and stay under FD_SETSIZE where its would": '__fdelt_chk',
    "the kernel's, until one of ours is added": 'epoll_create epoll_create1',
    'by pthread_atfork()': 'fork daemon',
    'touches nothing of the parent': 'posix_spawn posix_spawnp system popen',
    'the kernel says ESPIPE of any socket': 'pread pwrite pread64 pwrite64 preadv pwritev preadv64 pwritev64',
    'for pipes': 'tee vmsplice',
    "makes what is the kernel's":
        'open creat socketpair pipe pipe2 eventfd signalfd timerfd_create timerfd_settime timerfd_gettime',
}

t.test('the calls of programs', async (t) => {
    const exported = new Set(
        execFileSync('nm', ['-D', '--defined-only', shim], { encoding: 'utf8' })
            .split('\n')
            .map((line) => line.split(' ').at(-1)),
    )
    for (const name of called) t.ok(exported.has(name), name)
    for (const [reason, names] of Object.entries(withoutRow))
        for (const name of words(names)) t.notOk(exported.has(name), `${name}: ${reason}`)
})

t.test('the rows', async (t) => {
    const rows = readFileSync(new URL('../../native/preload/symbols.def', import.meta.url), 'utf8')
    const names = [...rows.matchAll(/^(?:CALL|CHECKED)\([\w ]+, (\w+),/gm)].map((row) => row[1] ?? '')
    t.ok(names.length > 50, 'are found')
    t.strictSame(
        names.filter((name) => !called.includes(name)),
        [],
        'each is one of the calls above',
    )
})
