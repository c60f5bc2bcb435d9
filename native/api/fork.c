/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "api/claim.h"
#include "api/life.h"
#include "base/compiler.h"
#include "base/kernel_calls.h"
#include "base/log.h"
#include "fd/explain.h"
#include "fd/fd_table.h"
#include "fd/route.h"
#include "fd/undecided.h"
#include "socket/thread.h"

static atomic_bool has_children;

bool fork_has_children(void)
{
    return atomic_load_explicit(&has_children, memory_order_relaxed);
}

static void before(void)
{
    life_fork(LIFE_FORK_BEFORE);
}

static void in_parent(void)
{
    atomic_store(&has_children, true);
    life_fork(LIFE_FORK_PARENT);
}

/* Numbers that stand for sockets of the parent's stacks, as far as nobody was told yet. */
static uint64_t lost[1024];
bool fork_lost_any;

static void note_lost(int fd)
{
    if (fd >= (int)ARRAY_SIZE(lost) * 64)
        return;
    lost[fd / 64] |= UINT64_C(1) << fd % 64;
    fork_lost_any = true;
}

void fork_warn(int fd)
{
    static atomic_bool told;
    char reason[200];

    if (fd < 0 || fd >= (int)ARRAY_SIZE(lost) * 64 || !(lost[fd / 64] >> fd % 64 & 1) || !fd_is_dead(fd))
        return;
    lost[fd / 64] &= ~(UINT64_C(1) << fd % 64);
    snprintf(reason, sizeof(reason),
             "on the stacks of the process that forked this one; the rule \"kernel,process=%s,use=listen\" "
             "leaves its listeners to the kernel", program_invocation_short_name);
    explain_note(fd, ROUTE_KERNEL, false, SOCK_STREAM, NULL, reason);
    if (!atomic_exchange(&told, true))
        log_warn("socket %d, which this child uses, is %s", fd, reason);
}

/* A descriptor of the parent's runtime becomes what the child can have of it. */
static void inherit(int fd, struct file *file)
{
    if (file->kind == FILE_UNDECIDED) {
        undecided_inherited(file);
        return;
    }
    if (file->kind == FILE_SOCKET && file->kernel_side) {
        if (!file_user_nonblock(file)) /* our waiting in front of it is gone */
            kernel.fcntl(fd, F_SETFL, kernel.fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        fd_drop(fd, false);
        return;
    }
    /* An epoll made around the kernel's stays that one; of others nothing is left. */
    fd_drop(fd, file->kind == FILE_SOCKET);
    if (file->kind == FILE_SOCKET)
        note_lost(fd);
}

static void in_child(void)
{
    bool ran = life_fork(LIFE_FORK_CHILD);

    route_forked();
    explain_forked();
    if (ran)
        undecided_set_reason("the stacks are those of the process that this one was forked from");
    undecided_forked();
    claim_forget();
    fd_table_forked();
    for (int fd = fd_next(0); fd >= 0; fd = fd_next(fd + 1))
        inherit(fd, fd_peek(fd));
    if (ran) {
        fd_drop_virtual();
        threads_forked();
    }
}

void fork_attend(void)
{
    static atomic_bool done;

    if (!atomic_exchange(&done, true))
        pthread_atfork(before, in_parent, in_child);
}
