/* SPDX-License-Identifier: Apache-2.0 */
/* The entry points of the preload shim. */
#include "pronghorn/shim.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/claim.h"
#include "api/fork.h"
#include "api/life.h"
#include "base/kernel_calls.h"
#include "base/log.h"
#include "fd/fd_table.h"
#include "fd/undecided.h"
#include "stack/group.h"

#define CLAIM_WAIT_MS 1000

static int parent_of(int pid)
{
    char path[32];
    int parent = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*d (%*[^)]) %*c %d", &parent) != 1)
            parent = 0;
        fclose(file);
    }
    return parent;
}

/* A sibling keeps what it has; any other may be on its way out (a restart): a moment for it. */
static bool claim(int *holder)
{
    for (int waited_ms = 0; !claim_addresses(life_settings(), holder); waited_ms += 20) {
        if (waited_ms >= CLAIM_WAIT_MS || (*holder && parent_of(*holder) == getppid()))
            return false;
        usleep(20000);
    }
    return true;
}

/* The stacks run, or start now: 0 or -ENODEV. What failed is said once. */
static int start(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool failed, told;
    static char reason[80];
    int holder, result;

    if (life_is_running())
        return 0;
    pthread_mutex_lock(&lock);
    if (failed) {
        result = -ENODEV;
    } else if (!claim(&holder)) {
        if (holder)
            snprintf(reason, sizeof(reason), "process %d has the addresses of our ports", holder);
        else
            snprintf(reason, sizeof(reason), "another process has the addresses of our ports");
        if (!told)
            log_info("%s; here the kernel serves", reason);
        told = true;
        undecided_set_reason(reason);
        result = -ENODEV; /* it may end, and then they are free */
    } else {
        atomic_store(&group.deaf, true); /* until group_hear() */
        result = life_ensure() == 0 ? 0 : -ENODEV;
        failed = result < 0;
        if (failed) {
            claim_forget();
            undecided_set_reason(ph_error());
        }
    }
    pthread_mutex_unlock(&lock);
    return result;
}

bool ph_shim_start(void)
{
    undecided_set_start(start, group_hear);
    if (!life_shim())
        return false;
    fork_attend();
    return true;
}

int ph_shim_socket(int domain, int type, int protocol)
{
    int fd = undecided_open(domain, type, protocol);

    if (fd >= 0)
        return fd;
    errno = -fd;
    return -1;
}

/* For listeners that wait for their first accept: later the stacks could not start. */
static void before_user_changes(uid_t user)
{
    if (user != 0 && user != (uid_t)-1 && !life_is_running() && undecided_one_waits())
        start();
}

int ph_shim_setuid(uid_t user)
{
    before_user_changes(user);
    return kernel.setuid(user);
}

int ph_shim_setreuid(uid_t real, uid_t effective)
{
    before_user_changes(effective);
    return kernel.setreuid(real, effective);
}

int ph_shim_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    before_user_changes(effective);
    return kernel.setresuid(real, effective, saved);
}

void ph_shim_exit(int status)
{
    life_leave();
    kernel._exit(status);
}

void ph_shim_quick_exit(int status)
{
    life_leave();
    kernel.quick_exit(status);
}
