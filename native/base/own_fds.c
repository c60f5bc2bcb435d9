/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own_fds.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FDS_MAX 65536 /* no number beyond is protected */

static _Atomic uint64_t own[FDS_MAX / 64];
static uint64_t before[FDS_MAX / 64]; /* open when own_fds_look() was called */

void own_fds_add(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        atomic_fetch_or_explicit(&own[fd / 64], UINT64_C(1) << fd % 64, memory_order_relaxed);
}

void own_fds_remove(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        atomic_fetch_and_explicit(&own[fd / 64], ~(UINT64_C(1) << fd % 64), memory_order_relaxed);
}

int own_fds_next(int fd)
{
    for (; fd >= 0 && fd < FDS_MAX; fd++) {
        uint64_t word = atomic_load_explicit(&own[fd / 64], memory_order_relaxed) >> fd % 64;

        if (word)
            return fd + __builtin_ctzll(word);
        fd |= 63;
    }
    return -1;
}

static void each_open(void (*run)(int fd))
{
    DIR *all = opendir("/proc/self/fd");
    struct dirent *entry;

    while (all && (entry = readdir(all)) != NULL) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] != '.' && fd != dirfd(all) && fd < FDS_MAX)
            run(fd);
    }
    if (all)
        closedir(all);
}

static void was_open(int fd)
{
    before[fd / 64] |= UINT64_C(1) << fd % 64;
}

static void is_open(int fd)
{
    if (!(before[fd / 64] >> fd % 64 & 1))
        own_fds_add(fd);
}

void own_fds_look(void)
{
    memset(before, 0, sizeof(before));
    each_open(was_open);
}

void own_fds_take_new(void)
{
    each_open(is_open);
}

void own_fds_forked(void)
{
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        atomic_store_explicit(&own[i], 0, memory_order_relaxed);
}
