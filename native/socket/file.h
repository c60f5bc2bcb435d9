/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: what a descriptor of ours stands for (POSIX "open file description"). Embedded first in
 * struct socket and struct epoll.
 *
 * Two counts. `users`: descriptors that name it and calls in progress on it; at 0 it is closed, so
 * that, as in the kernel, a close() in one thread takes effect when the other's recv() has returned.
 * `refs`: who needs the memory; the users together hold one, a stack with state for it another.
 */
#ifndef SOCKET_FILE_H
#define SOCKET_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum file_kind {
    FILE_SOCKET = 1,
    FILE_EPOLL,
    FILE_UNDECIDED, /* a kernel socket that may still become ours: fd/undecided.h */
};

struct file {
    uint8_t kind;
    _Atomic bool nonblock; /* O_NONBLOCK; always with kernel_side, whose calls wait by themselves */
    bool kernel_side;      /* the kernel's socket of the descriptor takes part as well */
    _Atomic bool waits;    /* with kernel_side: not O_NONBLOCK */
    int append;            /* O_APPEND or 0: kept for F_GETFL, no meaning here */
    _Atomic int32_t fd;    /* for the statistics: the first descriptor, -1: none */
    _Atomic uint32_t owner; /* for the statistics: the thread that was given it */
    _Atomic uint32_t users;
    _Atomic uint32_t refs;
    /* The last user is gone. Application thread; once; the users' reference goes with it. */
    int (*close)(struct file *file);
    /* The last reference is gone. Any thread. */
    void (*release)(struct file *file);
};

/* With one user (the descriptor to be) and one reference. */
static inline void file_init(struct file *file, enum file_kind kind, int (*close)(struct file *),
                             void (*release)(struct file *))
{
    file->kind = kind;
    file->append = 0;
    file->kernel_side = false;
    atomic_init(&file->waits, false);
    file->close = close;
    file->release = release;
    atomic_init(&file->nonblock, false);
    atomic_init(&file->fd, -1);
    atomic_init(&file->owner, 0);
    atomic_init(&file->users, 1);
    atomic_init(&file->refs, 1);
}

/* False: it is closed already. */
static inline bool file_use(struct file *file)
{
    uint32_t users = atomic_load_explicit(&file->users, memory_order_relaxed);

    while (users > 0) {
        if (atomic_compare_exchange_weak_explicit(&file->users, &users, users + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    }
    return false;
}

static inline void file_hold(struct file *file)
{
    atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
}

static inline void file_put(struct file *file)
{
    if (atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel) == 1)
        file->release(file);
}

/* What close() returns when this was the last user; else 0. */
static inline int file_unuse(struct file *file)
{
    int result = 0;

    if (atomic_fetch_sub_explicit(&file->users, 1, memory_order_acq_rel) == 1) {
        result = file->close(file);
        file_put(file);
    }
    return result;
}

/* O_NONBLOCK as the user sets and sees it. */
static inline void file_set_nonblock(struct file *file, bool nonblock)
{
    atomic_store(&file->nonblock, nonblock || file->kernel_side);
    atomic_store(&file->waits, !nonblock);
}

static inline bool file_user_nonblock(const struct file *file)
{
    return file->kernel_side ? !atomic_load_explicit(&file->waits, memory_order_relaxed)
                             : atomic_load_explicit(&file->nonblock, memory_order_relaxed);
}

/* As our half of it takes it. */
static inline bool file_nonblock(const struct file *file)
{
    return atomic_load_explicit(&file->nonblock, memory_order_relaxed);
}

#endif
