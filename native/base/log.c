/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel_calls.h"

#define LINE_BYTES 1024

static _Atomic int log_level = LOG_LEVEL_INFO;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

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
    size_t length;

    if (!log_is_on(level))
        return;
    length = (size_t)snprintf(line, sizeof(line), "pronghorn: %s: ", level_names[level]);
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
    log_error("invariant broken: %s (%s:%d); this is a bug in Pronghorn", condition, file, line);
    abort();
}
