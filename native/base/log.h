/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages for people, one line each, to stderr: "pronghorn: error: ...". Any thread; a line is one
 * write, so lines of several threads do not mix. Not for the data path: what happens per packet is
 * counted (stats/), or goes through log_warn_limited().
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Prefixed, because <syslog.h> has LOG_INFO and LOG_DEBUG. */
enum log_level {
    LOG_LEVEL_ERROR, /* what was asked for cannot be done */
    LOG_LEVEL_WARN,  /* it works, but not as it should */
    LOG_LEVEL_INFO,  /* what was chosen and why, once at start */
    LOG_LEVEL_DEBUG, /* for those who work on Pronghorn */
};

/* Messages above `level` are dropped. Info until set. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

/* No line end in `format`; keeps errno. */
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
/* The arguments are evaluated only when debugging. */
#define log_debug(...) \
    (log_is_on(LOG_LEVEL_DEBUG) ? log_line(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)

/* The last messages are kept, for tools that come later. */
#define LOG_LINE_BYTES 1024

struct log_entry {
    uint64_t sequence; /* of all messages of the process, from 1 on */
    uint64_t time_ms;  /* since 1970 */
    enum log_level level;
    char text[LOG_LINE_BYTES]; /* without "pronghorn: ..." and the line's end */
};

/* The oldest kept message from `*sequence` on, which moves behind it. False: there is none yet. */
bool log_read(uint64_t *sequence, struct log_entry *entry);
const char *log_level_name(enum log_level level);

/* At most one message per interval; what was held back is counted and told with the next one. */
struct log_limit {
    _Atomic uint64_t next_ns;
    _Atomic uint32_t held_back;
};

/* True: say it now, and `*held_back` messages were not said since the last one. */
bool log_limit_pass(struct log_limit *limit, uint64_t interval_ms, uint32_t *held_back);

#define log_warn_limited(interval_ms, format, ...)                                         \
    do {                                                                                   \
        static struct log_limit limit_here;                                                \
        uint32_t held_back_here;                                                           \
        if (log_limit_pass(&limit_here, (interval_ms), &held_back_here)) {                 \
            if (held_back_here > 0)                                                        \
                log_warn(format " (and %u more like this)", ##__VA_ARGS__, held_back_here); \
            else                                                                           \
                log_warn(format, ##__VA_ARGS__);                                           \
        }                                                                                  \
    } while (0)

#endif
