/* SPDX-License-Identifier: Apache-2.0 */
/* Life of the process-wide runtime: started once, stopped once, on every way out of the process. */
#include "api/life.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/fork.h"
#include "api/serve.h"
#include "api/start.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/inside.h"
#include "base/log.h"
#include "base/own_fds.h"
#include "config/config.h"
#include "fd/fd_table.h"
#include "fd/route.h"
#include "lwip/instance.h"
#include "platform/eal.h"
#include "pronghorn.h"
#include "socket/socket.h"
#include "stack/group.h"

/* How long stopping waits for queued data and FINs to be acknowledged. */
#define GRACE_US 200000

enum phase { PHASE_NEVER, PHASE_RUNNING, PHASE_STOPPED, PHASE_FORKED };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int phase;
static pid_t owner; /* a forked child must not stop its parent's stacks */
static char error_text[2048];
static struct config *loaded; /* by life_shim(), for the start that may follow */
static struct config *active; /* what the runtime was started with, for those who ask */

static int start(const struct ph_setting *settings, size_t count)
{
    struct config_setting *copy = calloc(count ? count : 1, sizeof(*copy));
    struct config *config = loaded && count == 0 ? loaded : malloc(sizeof(*config));
    int result = -ENOMEM;

    if (config && config == loaded) {
        result = 0;
    } else if (config && copy) {
        for (size_t i = 0; i < count; i++)
            copy[i] = (struct config_setting){ .key = settings[i].key, .value = settings[i].value };
        result = config_load(config, copy, count, error_text, sizeof(error_text));
    }
    if (result == 0 && !loaded)
        result = fd_table_start(config->fd_numbers == CONFIG_FD_KERNEL, config->sockets_max);
    if (result == 0) {
        own_fds_look();
        result = start_all(config, ph_version(), error_text, sizeof(error_text));
        own_fds_take_new();
        if (result < 0 && !loaded)
            fd_table_stop();
    }
    if (result == 0)
        active = config;
    else if (config != loaded)
        free(config);
    free(copy);
    return result;
}

bool life_shim(void)
{
    struct config *config = malloc(sizeof(*config));
    int result = -ENOMEM;

    pthread_mutex_lock(&lock);
    snprintf(error_text, sizeof(error_text), "out of memory");
    if (phase == PHASE_RUNNING) { /* the program uses us knowingly as well */
        free(config);
        config = active;
        result = 0;
    } else if (config) {
        result = config_load(config, NULL, 0, error_text, sizeof(error_text));
        if (result == 0)
            result = fd_table_start(true, config->sockets_max);
    }
    if (result == 0) {
        start_log(config);
        route_start(config);
        loaded = config;
    } else {
        log_error("nothing is accelerated: %s", error_text);
        free(config);
    }
    pthread_mutex_unlock(&lock);
    return result == 0;
}

bool life_is_running(void)
{
    return atomic_load_explicit(&phase, memory_order_acquire) == PHASE_RUNNING;
}

const struct config *life_settings(void)
{
    return loaded;
}

bool life_fork(enum life_fork moment)
{
    bool ran = phase == PHASE_RUNNING;

    if (moment == LIFE_FORK_BEFORE) { /* no half-made start is copied */
        pthread_mutex_lock(&lock);
        return ran;
    }
    if (moment == LIFE_FORK_CHILD) {
        pthread_mutex_init(&lock, NULL);
        if (ran) {
            phase = PHASE_FORKED;
            own_fds_forked();
            group.count = 0; /* nobody turns the parent's stacks */
        }
        return ran;
    }
    pthread_mutex_unlock(&lock);
    return ran;
}

struct question {
    const char *key;
    char *text;
    size_t size;
    int result;
};

static void answer(void *context, const char *key, const char *value, const char *source)
{
    struct question *q = context;

    if (strcmp(key, q->key) == 0)
        q->result = snprintf(q->text, q->size, "%s", value);
}

int ph_setting(const char *key, char *text, size_t size)
{
    struct question q = { .key = key, .text = text, .size = size, .result = -1 };

    pthread_mutex_lock(&lock);
    errno = active ? ENOENT : ESRCH;
    if (active)
        config_dump(active, answer, &q);
    pthread_mutex_unlock(&lock);
    return q.result;
}

int ph_init(const struct ph_setting *settings, size_t count)
{
    static bool hooked;
    int result;

    pthread_mutex_lock(&lock);
    error_text[0] = '\0';
    if (phase != PHASE_NEVER) {
        result = -EALREADY;
        snprintf(error_text, sizeof(error_text), "%s",
                 phase == PHASE_RUNNING  ? "the runtime runs already; stop it before new settings"
                 : phase == PHASE_FORKED ? "the stacks are those of the process that forked this one"
                                         : "the runtime was stopped; DPDK starts once per process");
    } else {
        result = start(settings, count);
        if (result == 0) {
            owner = getpid();
            phase = PHASE_RUNNING;
            fork_attend();
            if (!hooked)
                atexit(ph_stop);
            hooked = true;
        }
    }
    pthread_mutex_unlock(&lock);
    if (result == 0)
        return 0;
    errno = -result;
    return -1;
}

int life_ensure(void)
{
    if (LIKELY(atomic_load_explicit(&phase, memory_order_acquire) == PHASE_RUNNING))
        return 0;
    if (ph_init(NULL, 0) == 0 || phase == PHASE_RUNNING)
        return 0;
    if (errno != EALREADY)
        log_error("%s", error_text);
    return errno == EALREADY ? -EBADF : -errno;
}

static void nothing(struct rpc *rpc)
{
    rpc_finish(rpc);
}

/* What stacks have put out has left: a call is answered in the middle of a turn, frames go at its end. */
static void turn_over(void)
{
    for (unsigned i = 0; i < group.count; i++) {
        struct stack *s = group.stacks[i];
        uint64_t turns = __atomic_load_n(&s->stats->turns, __ATOMIC_RELAXED), end_us = clock_now_us() + GRACE_US;

        do {
            struct rpc rpc;

            rpc_init(&rpc, nothing);
            stack_call(s, &rpc);
        } while (__atomic_load_n(&s->stats->turns, __ATOMIC_RELAXED) == turns && clock_now_us() < end_us);
    }
}

/* Closed sockets still have data or a FIN to bring out: a moment for them. */
static void grace(void)
{
    uint64_t end_us = clock_now_us() + GRACE_US;
    bool open;

    do {
        open = false;
        for (unsigned i = 0; i < group.count; i++) {
            struct stack *s = group.stacks[i];

            s->driver->turn(s);
            open |= !list_is_empty(&s->sockets);
        }
        if (open)
            usleep(200);
    } while (open && clock_now_us() < end_us);
    turn_over();
}

void ph_stop(void)
{
    pthread_mutex_lock(&lock);
    if (phase == PHASE_RUNNING && owner == getpid()) {
        phase = PHASE_STOPPED;
        fd_table_stop();
        grace();
        stop_all();
    }
    pthread_mutex_unlock(&lock);
}

bool life_may_leave(void)
{
    return life_is_running() && owner == getpid() && inside_calls == 0;
}

/*
 * The process ends, or becomes another program: its peers are to see that, as when the kernel closes its
 * sockets. The numbers stay what they are. In a signal handler that interrupted one of our calls there is
 * no way to do it.
 */
void life_leave(void)
{
    if (!life_may_leave() || !inside_enter())
        return;
    if (pthread_mutex_trylock(&lock) == 0) {
        for (int fd = fd_next(0); fd >= 0; fd = fd_next(fd + 1))
            fd_forget(fd);
        grace();
        pthread_mutex_unlock(&lock);
    }
    log_flush();
    inside_leave();
}

const char *ph_error(void)
{
    return error_text;
}

const char *ph_version(void)
{
    static char text[96];

    snprintf(text, sizeof(text), "%s (%s, lwIP %s)", PRONGHORN_VERSION, eal_version(),
             instance_version());
    return text;
}

int ph_turn(void)
{
    int work = 0;

    if (atomic_load_explicit(&phase, memory_order_acquire) != PHASE_RUNNING || UNLIKELY(!inside_enter()))
        return 0;
    for (unsigned i = 0; i < group.count; i++)
        work += group.stacks[i]->driver->turn(group.stacks[i]);
    serve_leave();
    return work;
}
