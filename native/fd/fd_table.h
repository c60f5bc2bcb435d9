/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of ours. Two ways to number them, chosen once at start (fd.numbers):
 *  - kernel: each holds a real kernel descriptor number, so that select(), FD_SET and everything
 *    else that counts descriptors keeps working;
 *  - virtual: from FD_VIRTUAL_FIRST on, beyond any number the kernel gives; no system call each.
 *
 * Looking one up takes no lock: a slot is one atomic pointer, and the memory of files is never
 * returned to the allocator (fd_table keeps no list of it; socket.c and epoll.c reuse theirs), so
 * that a stale pointer still points at a file, whose user count says whether it is alive.
 */
#ifndef FD_FD_TABLE_H
#define FD_FD_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "socket/file.h"

#define FD_VIRTUAL_FIRST (1 << 30)

/* `virtual_max`: how many virtual descriptors there may be. 0 or -ENOMEM. */
int fd_table_start(bool kernel_numbers, uint32_t virtual_max);
/* Closes every descriptor that is still open. */
void fd_table_stop(void);

/* Takes the file's first user over. The descriptor, or -EMFILE, -ENFILE (the file stays the caller's). */
int fd_install(struct file *file, bool close_on_exec);

/* The same in two steps, for accept(2): without a number the connection must stay in its queue. */
int fd_reserve(bool close_on_exec);
void fd_fill(int fd, struct file *file);
void fd_unreserve(int fd);

/* The file, with one user more, or NULL: not one of ours. Give back with file_unuse(). */
struct file *fd_use(int fd);

/* close(2): the descriptor is free at once. What the last user's close says, or -EBADF. */
int fd_close(int fd);

/*
 * F_DUPFD (fcntl(2)): another descriptor for the same file, numbered `least` or higher (virtual ones
 * are anyway). -EINVAL: beyond all limits.
 */
int fd_dup(int fd, int least, bool close_on_exec);

bool fd_is_ours(int fd);

/*
 * The kernel's descriptor `fd`, which the caller just got, is `file` from now on: takes the file's
 * first user over. False: beyond what the table can hold.
 */
bool fd_adopt(int fd, struct file *file);

/*
 * Every descriptor of `from` becomes one of `to` (its first user is the first of them), or plainly
 * the kernel's if that is NULL. How many there were.
 */
unsigned fd_replace(struct file *from, struct file *to);

/* The kernel's `fd` now stands for something else: what the table had there is closed. */
void fd_forget(int fd);

/* After kernel.dup2(fd, as): `as` is what `fd` is. */
void fd_copied(int fd, int as);

/* In a child: the table is this thread's alone, whoever held its lock. */
void fd_table_forked(void);
/* What a number stands for, without a use of it: only in a child. */
struct file *fd_peek(int fd);
/*
 * In a child: the number is plainly the kernel's; with `dead`, an unconnected socket instead of what
 * held the number. The file is not closed: it is the parent's.
 */
void fd_drop(int fd, bool dead);
void fd_drop_virtual(void);
/* Does the number still stand for what fd_drop() put there? */
bool fd_is_dead(int fd);

/* All that are in use, lowest first: the first at or after `fd`, or -1. */
int fd_next(int fd);

#endif
