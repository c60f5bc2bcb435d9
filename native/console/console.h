/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console: the process's ear for its operators. A UNIX socket beside the statistics segment,
 * /dev/shm/pronghorn.<pid>.console, for the process's user and root only. A thread of its own, asleep
 * unless somebody calls, serves it; stacks are reached by calls like any application's.
 *
 * A request is one line, at most CONSOLE_REQUEST_BYTES: a verb and name=value words, separated by
 * tabs. The answer is one line of JSON ({"error": ...} when it could not be done); after that of a
 * capture follows pcapng until the operator shuts down his side. Then the connection is closed.
 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include <stddef.h>

struct file;
struct port;

#define CONSOLE_REQUEST_BYTES 4096

struct console_settings {
    struct port *const *ports; /* valid until console_stop() */
    unsigned ports_count;
    /* The file behind a descriptor of ours, with one user more; NULL: there is none. */
    struct file *(*use)(int fd);
    /* Changes a setting of the live process: 0, or -errno and a reason. On the console's thread. */
    int (*set)(const char *key, const char *value, char *err, size_t err_size);
};

/* 0, or -errno. After the stacks run. */
int console_start(const struct console_settings *settings);
/* Before the stacks stop: ends captures and faults. Idempotent. */
void console_stop(void);

#endif
