/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages for people, one line each, as text ("pronghorn: error: ...") or as JSON, to stderr or to a
 * file. Any thread, also in a signal handler; a line is one write, so lines of several threads do not mix.
 *
 * A message goes into a bounded queue, and whoever put it there writes out what lies there, in order. Only
 * a thread in a stack's turn never writes: a thread of the log's own does it for it (log_start()), and a
 * message that finds the queue full is counted, and the count told. So a stack never waits for a reader of
 * stderr. What breaks (log_fatal(), INVARIANT()) is written directly.
 *
 * Each place in the code may say ten messages in five seconds; what is held back is counted and told later.
 * Not for what happens per packet all the same: that is counted (stats/), or goes through log_warn_limited().
 *
 * A message about a port or a stack begins with "port NAME: " or "stack NUMBER: "; as JSON these are
 * fields.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct json_out;

/* Prefixed, because <syslog.h> has LOG_INFO and LOG_DEBUG. */
enum log_level {
    LOG_LEVEL_ERROR, /* what was asked for cannot be done */
    LOG_LEVEL_WARN,  /* it works, but not as it should */
    LOG_LEVEL_INFO,  /* what was chosen and why, once at start */
    LOG_LEVEL_DEBUG, /* for those who work on Pronghorn */
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Messages above `level` are dropped. Info until set. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);
void log_set_format(enum log_format format);
/* Opened for each line, so that it may be moved away at any time, and holds no descriptor. "": stderr. */
void log_set_file(const char *path);

/* A place in the code that says something, and how often it may. */
struct log_place {
    uint32_t burst, interval_ms;
    const char *format;
    enum log_level level;
    _Atomic uint64_t until_ns; /* the interval's end */
    _Atomic uint32_t said, held_back;
    _Atomic bool listed; /* as one that has something to tell later */
    struct log_place *next;
};

/* No line end in `format`; keeps errno. No place: no limit. */
void log_line(struct log_place *place, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

#define LOG_AT(at_most, in_ms, its_level, its_format, ...)                                         \
    do {                                                                                           \
        static struct log_place place_here = { .burst = (at_most), .interval_ms = (in_ms),         \
                                               .format = (its_format), .level = (its_level) };     \
        log_line(&place_here, (its_level), its_format, ##__VA_ARGS__);                             \
    } while (0)

#define log_error(...) LOG_AT(10, 5000, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(10, 5000, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(10, 5000, LOG_LEVEL_INFO, __VA_ARGS__)
/* Not limited. The arguments are evaluated only when debugging. */
#define log_debug(...) \
    (log_is_on(LOG_LEVEL_DEBUG) ? log_line(NULL, LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
/* One message per interval. */
#define log_warn_limited(interval_ms, ...) LOG_AT(1, interval_ms, LOG_LEVEL_WARN, __VA_ARGS__)

/* The process is about to end: an error, written before the return, whoever says it. */
void log_fatal(const char *format, ...) PRINTF_LIKE(1, 2);

/*
 * The thread that writes what threads in a stack's turn say; `stack_here` tells which stack's turn the
 * calling thread is in, or -1. Before it is there, after its end and in forked children everybody writes.
 * 0, or a negative errno.
 */
int log_start(int (*stack_here)(void));
void log_stop(void);
/* What is queued or held back is told, unless nobody reads it for a second. */
void log_flush(void);

/* ---- for tools --------------------------------------------------------------------------------- */

/* The last messages are kept. */
#define LOG_LINE_BYTES 1024

struct log_entry {
    uint64_t sequence; /* of all messages of the process, from 1 on */
    uint64_t time_ns;  /* since 1970 */
    enum log_level level;
    int stack;                 /* in whose turn it was said, or -1 */
    char text[LOG_LINE_BYTES]; /* without "pronghorn: ..." and the line's end */
};

/* The oldest kept message from `*sequence` on, which moves behind it. False: there is none yet. */
bool log_read(uint64_t *sequence, struct log_entry *entry);
const char *log_level_name(enum log_level level);

/* {"sequence":1,"time":"2026-01-31T12:00:00.123456Z","level":"error","message":"...","pid":1}, a whole line. */
#define LOG_JSON_BYTES (LOG_LINE_BYTES * 6 + 1024) /* each character may become six */
void log_entry_json(struct json_out *json, const struct log_entry *entry);

#endif
