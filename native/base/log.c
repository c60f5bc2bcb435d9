/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel_calls.h"

#define LINE_BYTES LOG_LINE_BYTES
#define KEPT 64

static _Atomic int log_level = LOG_LEVEL_INFO;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

/* Messages are rare: a mutex is no hindrance. (Never waited for by who logs: he may be the child of a
 * fork() at a moment when another thread held it.) */
static struct {
    pthread_mutex_t mutex;
    uint64_t next; /* the number of the next message */
    struct log_entry *entry;
} kept = { .mutex = PTHREAD_MUTEX_INITIALIZER, .next = 1 };

static void keep(enum log_level level, const char *text, size_t length)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (pthread_mutex_trylock(&kept.mutex) != 0)
        return;
    if (kept.entry == NULL)
        kept.entry = calloc(KEPT, sizeof(*kept.entry));
    if (kept.entry != NULL) {
        struct log_entry *entry = &kept.entry[kept.next % KEPT];

        entry->sequence = kept.next++;
        entry->time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
        entry->level = level;
        memcpy(entry->text, text, length);
        entry->text[length] = '\0';
    }
    pthread_mutex_unlock(&kept.mutex);
}

bool log_read(uint64_t *sequence, struct log_entry *entry)
{
    bool found;

    pthread_mutex_lock(&kept.mutex);
    if (*sequence == 0)
        *sequence = 1;
    if (*sequence + KEPT < kept.next)
        *sequence = kept.next - KEPT;
    found = *sequence < kept.next && kept.entry != NULL;
    if (found)
        *entry = kept.entry[(*sequence)++ % KEPT];
    pthread_mutex_unlock(&kept.mutex);
    return found;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_BYTES];
    int saved_errno = errno;
    va_list arguments;
    size_t length, prefix;

    if (!log_is_on(level))
        return;
    prefix = length = (size_t)snprintf(line, sizeof(line), "pronghorn: %s: ", level_names[level]);
    va_start(arguments, format);
    int body = vsnprintf(line + length, sizeof(line) - length, format, arguments);
    va_end(arguments);
    if (body > 0)
        length += (size_t)body;
    if (length >= sizeof(line)) {
        /* Too long: a cut line is better than none, and shows that it is cut. */
        length = sizeof(line) - 1;
        memcpy(line + length - 3, "...", 3);
    }
    keep(level, line + prefix, length - prefix);
    line[length++] = '\n';
    /* A closed or full stderr is no reason to fail; there is nobody to tell. */
    ssize_t ignored = kernel.write(STDERR_FILENO, line, length);
    (void)ignored;
    errno = saved_errno;
}

bool log_limit_pass(struct log_limit *limit, uint64_t interval_ms, uint32_t *held_back)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t next_ns = atomic_load_explicit(&limit->next_ns, memory_order_relaxed);

    /* Of several threads at the same moment, the one that moves the time on speaks. */
    if (now_ns < next_ns || !atomic_compare_exchange_strong(&limit->next_ns, &next_ns,
                                                            now_ns + interval_ms * 1000000u)) {
        atomic_fetch_add_explicit(&limit->held_back, 1, memory_order_relaxed);
        return false;
    }
    *held_back = atomic_exchange_explicit(&limit->held_back, 0, memory_order_relaxed);
    return true;
}

_Noreturn void invariant_failed(const char *condition, const char *file, int line)
{
    log_error("invariant broken: %s (%s:%d); this is a bug in Pronghorn. What came before it stays in the flight "
              "recorder: pronghorn flight --pid %d",
              condition, file, line, (int)getpid());
    abort();
}
