/* SPDX-License-Identifier: Apache-2.0 */
#include "fd/fd_table.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/kernel_calls.h"

/* How long stopping waits for calls that other threads are in. */
#define STOP_WAIT_US 200000

typedef struct file *_Atomic fd_slot;

static struct {
    bool kernel_numbers;
    int template_fd; /* what the kernel's numbers are duplicates of */
    fd_slot *kernel;
    uint32_t kernel_max;
    _Atomic int highest; /* no number above was ever used */
    fd_slot *virtual;
    uint32_t virtual_max;
    /* virtual numbers: the lowest that was never used, and those that are free again */
    pthread_mutex_t lock;
    uint32_t *free_numbers;
    uint32_t free_count, fresh;
} table = { .template_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static void *reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

/* What an earlier start that failed has left. */
static void unmap(void)
{
    if (table.virtual)
        munmap(table.virtual, table.virtual_max * sizeof(fd_slot));
    if (table.free_numbers)
        munmap(table.free_numbers, table.virtual_max * sizeof(uint32_t));
    if (table.kernel)
        munmap(table.kernel, table.kernel_max * sizeof(fd_slot));
}

int fd_table_start(bool kernel_numbers, uint32_t virtual_max)
{
    struct rlimit limit;

    unmap();
    table.kernel_numbers = kernel_numbers;
    table.virtual_max = virtual_max;
    table.virtual = reserve(virtual_max * sizeof(fd_slot));
    table.free_numbers = reserve(virtual_max * sizeof(uint32_t));
    table.free_count = table.fresh = 0;
    table.kernel_max = 1u << 20;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < table.kernel_max)
        table.kernel_max = (uint32_t)limit.rlim_max;
    table.kernel = reserve(table.kernel_max * sizeof(fd_slot));
    if (table.virtual == NULL || table.free_numbers == NULL || table.kernel == NULL)
        return -ENOMEM;
    if (kernel_numbers) {
        /* Whoever uses one past us (a child, a program after exec) gets ENOTCONN and EPIPE, and never
         * waits for something. */
        table.template_fd = kernel.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (table.template_fd < 0) /* a kernel without IPv4 */
            table.template_fd = kernel.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (table.template_fd < 0)
            return -errno;
    }
    return 0;
}

static fd_slot *slot_of(int fd)
{
    if (LIKELY(fd >= FD_VIRTUAL_FIRST)) {
        uint32_t index = (uint32_t)(fd - FD_VIRTUAL_FIRST);

        return index < table.virtual_max ? &table.virtual[index] : NULL;
    }
    return fd >= 0 && (uint32_t)fd < table.kernel_max ? &table.kernel[fd] : NULL;
}

static int take_virtual(void)
{
    int fd = -EMFILE;

    pthread_mutex_lock(&table.lock);
    if (table.free_count > 0)
        fd = FD_VIRTUAL_FIRST + (int)table.free_numbers[--table.free_count];
    else if (table.fresh < table.virtual_max)
        fd = FD_VIRTUAL_FIRST + (int)table.fresh++;
    pthread_mutex_unlock(&table.lock);
    return fd;
}

static void give_number(int fd)
{
    if (fd < FD_VIRTUAL_FIRST) {
        kernel.close(fd);
        return;
    }
    pthread_mutex_lock(&table.lock);
    table.free_numbers[table.free_count++] = (uint32_t)(fd - FD_VIRTUAL_FIRST);
    pthread_mutex_unlock(&table.lock);
}

/* For the statistics: the first descriptor stands for the file, and who was given it. */
static void sign(struct file *file, int fd)
{
    static __thread uint32_t thread_id;

    if (thread_id == 0)
        thread_id = (uint32_t)gettid();
    if (atomic_load_explicit(&file->fd, memory_order_relaxed) >= 0)
        return;
    atomic_store_explicit(&file->fd, fd, memory_order_relaxed);
    atomic_store_explicit(&file->owner, thread_id, memory_order_relaxed);
}

/* A number that nobody uses, at least `least` (virtual ones: any). */
static int reserve_number(int least, bool close_on_exec)
{
    int fd;

    if (!table.kernel_numbers)
        return take_virtual();
    fd = kernel.fcntl(table.template_fd, close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, least);
    if (fd < 0)
        return -errno;
    if ((uint32_t)fd >= table.kernel_max) {
        kernel.close(fd);
        return -EMFILE;
    }
    return fd;
}

static void used(int fd)
{
    int highest = atomic_load_explicit(&table.highest, memory_order_relaxed);

    while (fd < FD_VIRTUAL_FIRST && fd > highest &&
           !atomic_compare_exchange_weak(&table.highest, &highest, fd))
        ;
}

int fd_reserve(bool close_on_exec)
{
    return reserve_number(0, close_on_exec);
}

void fd_fill(int fd, struct file *file)
{
    sign(file, fd);
    used(fd);
    atomic_store_explicit(slot_of(fd), file, memory_order_release);
}

static int install(struct file *file, int least, bool close_on_exec)
{
    int fd = reserve_number(least, close_on_exec);

    if (fd >= 0)
        fd_fill(fd, file);
    return fd;
}

void fd_unreserve(int fd)
{
    give_number(fd);
}

int fd_install(struct file *file, bool close_on_exec)
{
    return install(file, 0, close_on_exec);
}

struct file *fd_use(int fd)
{
    fd_slot *slot = slot_of(fd);
    struct file *file;

    if (slot == NULL || UNLIKELY(table.virtual == NULL))
        return NULL;
    file = atomic_load_explicit(slot, memory_order_acquire);
    if (file == NULL || !file_use(file))
        return NULL;
    /* Closed and reused between the two lines: then the slot no longer names it. */
    if (UNLIKELY(atomic_load_explicit(slot, memory_order_acquire) != file)) {
        file_unuse(file);
        return NULL;
    }
    return file;
}

bool fd_is_ours(int fd)
{
    fd_slot *slot = table.virtual ? slot_of(fd) : NULL;

    return slot && atomic_load_explicit(slot, memory_order_relaxed) != NULL;
}

int fd_close(int fd)
{
    fd_slot *slot = table.virtual ? slot_of(fd) : NULL;
    struct file *file = slot ? atomic_exchange(slot, NULL) : NULL;

    if (file == NULL)
        return -EBADF;
    if (atomic_load_explicit(&file->fd, memory_order_relaxed) == fd)
        atomic_store_explicit(&file->fd, -1, memory_order_relaxed);
    give_number(fd);
    return file_unuse(file);
}

int fd_dup(int fd, int least, bool close_on_exec)
{
    struct file *file = fd_use(fd); /* the new descriptor is this user */
    int copy;

    if (file == NULL)
        return -EBADF;
    if (least < 0) {
        copy = -EINVAL;
    } else if (fd < FD_VIRTUAL_FIRST) {
        /* The kernel's socket behind it is duplicated as well: it may have a part to play. */
        copy = kernel.fcntl(fd, close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, least);
        if (copy < 0)
            copy = -errno;
        else if (!fd_adopt(copy, file))
            copy = -EMFILE;
    } else {
        copy = install(file, least, close_on_exec);
    }
    if (copy < 0)
        file_unuse(file);
    return copy;
}

bool fd_adopt(int fd, struct file *file)
{
    fd_slot *slot = slot_of(fd);

    if (slot == NULL) {
        kernel.close(fd);
        return false;
    }
    fd_forget(fd); /* closed where we did not see it */
    fd_fill(fd, file);
    return true;
}

void fd_forget(int fd)
{
    fd_slot *slot = table.virtual ? slot_of(fd) : NULL;
    struct file *file = slot ? atomic_exchange(slot, NULL) : NULL;

    if (file == NULL)
        return;
    if (atomic_load_explicit(&file->fd, memory_order_relaxed) == fd)
        atomic_store_explicit(&file->fd, -1, memory_order_relaxed);
    file_unuse(file);
}

void fd_copied(int fd, int as)
{
    struct file *file = fd_use(fd); /* the new descriptor is this user */
    fd_slot *slot = slot_of(as);
    struct file *before;

    if (file == NULL || slot == NULL) {
        if (file)
            file_unuse(file);
        fd_forget(as);
        return;
    }
    sign(file, as);
    used(as);
    before = atomic_exchange(slot, file);
    if (before)
        file_unuse(before);
}

unsigned fd_replace(struct file *from, struct file *to)
{
    int highest = atomic_load(&table.highest);
    unsigned count = 0;

    for (int fd = 0; fd <= highest; fd++) {
        struct file *expected = from;

        if (atomic_load_explicit(&table.kernel[fd], memory_order_relaxed) != from)
            continue;
        if (to && count > 0)
            file_use(to);
        if (to)
            sign(to, fd);
        if (atomic_compare_exchange_strong(&table.kernel[fd], &expected, to)) {
            count++;
            file_unuse(from);
        } else if (to && count > 0) {
            file_unuse(to);
        }
    }
    return count;
}

int fd_next(int fd)
{
    int highest = table.virtual ? atomic_load(&table.highest) : -1;

    for (; fd <= highest; fd++)
        if (atomic_load_explicit(&table.kernel[fd], memory_order_relaxed))
            return fd;
    return -1;
}

void fd_table_forked(void)
{
    pthread_mutex_init(&table.lock, NULL);
}

struct file *fd_peek(int fd)
{
    return atomic_load(&table.kernel[fd]);
}

void fd_drop(int fd, bool dead)
{
    atomic_store(&table.kernel[fd], NULL);
    if (dead && table.template_fd >= 0) {
        int flags = kernel.fcntl(fd, F_GETFD);

        kernel.dup3(table.template_fd, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    }
}

bool fd_is_dead(int fd)
{
    struct stat about, template;

    return table.template_fd >= 0 && fstat(fd, &about) == 0 && fstat(table.template_fd, &template) == 0 &&
           about.st_ino == template.st_ino && about.st_dev == template.st_dev;
}

void fd_drop_virtual(void)
{
    for (uint32_t i = 0; i < table.fresh; i++)
        atomic_store(&table.virtual[i], NULL);
}

/*
 * Another thread may be inside a call on this file and would find its stack gone: a moment for it
 * to come out. (Memory of files is never returned, so that looking at the count is safe.)
 */
static void close_and_wait(fd_slot *slot, int fd, uint64_t end_us)
{
    struct file *file = atomic_load(slot);

    if (fd_close(fd) == -EBADF)
        return;
    while (atomic_load(&file->users) > 0 && clock_now_us() < end_us)
        usleep(50);
}

/* The tables stay mapped: other threads may look a descriptor up at any moment, and find none. */
void fd_table_stop(void)
{
    uint64_t end_us = clock_now_us() + STOP_WAIT_US;

    if (table.virtual == NULL)
        return;
    for (uint32_t i = 0; i < table.fresh; i++)
        close_and_wait(&table.virtual[i], FD_VIRTUAL_FIRST + (int)i, end_us);
    for (uint32_t i = 0; table.kernel_numbers && i < table.kernel_max; i++)
        close_and_wait(&table.kernel[i], (int)i, end_us);
    if (table.template_fd >= 0)
        kernel.close(table.template_fd);
    table.template_fd = -1;
}
