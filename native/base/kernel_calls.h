/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real libc functions, for our own use: kernel.read(fd, ...). In a process under our preload
 * shim the plain name read() is the shim's, which would call us again. All code below include/
 * therefore makes its calls on sockets and descriptors through this table and nowhere else.
 *
 * Any thread. The table is filled when the library is loaded, before other constructors run, and
 * never changes. A function that this libc does not have fails with ENOSYS.
 */
#ifndef BASE_KERNEL_CALLS_H
#define BASE_KERNEL_CALLS_H

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct kernel_calls {
#define KERNEL_CALL(result, name, parameters) result(*name) parameters;
#include "base/kernel_calls.def"
#undef KERNEL_CALL
};

extern struct kernel_calls kernel;

/* For a shim that is called before our constructors run. Idempotent. */
void kernel_calls_resolve(void);

#endif
