/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_out.h"
#include "base/kernel_calls.h"
#include "base/lock.h"

#define KEPT 64
/* How long the end of the process waits for who reads the messages. */
#define PATIENCE_US 1000000

static _Atomic int log_level = LOG_LEVEL_INFO, log_format = LOG_FORMAT_TEXT;
static char log_file[256]; /* under queue.writing */

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

/*
 * The queue, and what tools find of the past: a slot is taken again only after it was written out. Neither
 * locks nor allocation, as who logs may be a signal handler, or the child of a fork() in the middle of this.
 */
static struct {
    _Atomic uint64_t next;  /* the number of the next message */
    _Atomic uint64_t write; /* of the next to be written out */
    _Atomic uint32_t lost;
    struct lock writing; /* nobody waits for it who only has something to say */
    struct slot {
        _Atomic uint64_t ready; /* the number of the message that it holds whole */
        struct log_entry entry;
    } slot[KEPT];
} queue = { .next = 1, .write = 1 };

static struct {
    _Atomic bool running;
    _Atomic bool stopping;
    pthread_t thread;
    sem_t calls;
    int (*stack_here)(void);
} writer;

static _Atomic(struct log_place *) held; /* places that held something back */

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

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&log_format, (int)format, memory_order_relaxed);
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

void log_set_file(const char *path)
{
    int fd = path[0] != '\0' ? open_file(path) : -1, error = errno;

    lock_take(&queue.writing);
    snprintf(log_file, sizeof(log_file), "%s", path);
    lock_give(&queue.writing);
    if (fd >= 0)
        kernel.close(fd);
    else if (path[0] != '\0')
        log_warn("log.file: %s cannot be opened: %s; messages go to stderr until it can", path, strerror(error));
}

/* ---- out --------------------------------------------------------------------------------------- */

static void put(const char *line, size_t length)
{
    int fd = log_file[0] != '\0' ? open_file(log_file) : -1;
    /* A closed or full stderr is no reason to fail; there is nobody to tell. */
    ssize_t ignored = kernel.write(fd >= 0 ? fd : STDERR_FILENO, line, length);

    (void)ignored;
    if (fd >= 0)
        kernel.close(fd);
}

static void put_entry(const struct log_entry *entry, char line[LOG_JSON_BYTES])
{
    struct json_out json;

    if (atomic_load_explicit(&log_format, memory_order_relaxed) == LOG_FORMAT_JSON) {
        json_out_init(&json, line, LOG_JSON_BYTES);
        log_entry_json(&json, entry);
        put(line, json.length);
        return;
    }
    put(line, (size_t)snprintf(line, LOG_JSON_BYTES, "pronghorn: %s: %s\n", level_names[entry->level],
                               entry->text));
}

static struct slot *waiting(void)
{
    uint64_t number = atomic_load_explicit(&queue.write, memory_order_relaxed);
    struct slot *slot = &queue.slot[number % KEPT];

    return atomic_load_explicit(&slot->ready, memory_order_acquire) == number ? slot : NULL;
}

static void say_lost(void);

/* Whoever finds another thread at it leaves it to that one, which looks once more when it is through. */
static void write_out(void)
{
    static char line[LOG_JSON_BYTES]; /* not on the stack, which may be a signal handler's */

    do {
        struct slot *slot;

        if (!lock_try(&queue.writing))
            return;
        while ((slot = waiting()) != NULL) {
            put_entry(&slot->entry, line);
            atomic_fetch_add_explicit(&queue.write, 1, memory_order_release);
        }
        lock_give(&queue.writing);
        say_lost();
        atomic_thread_fence(memory_order_seq_cst); /* with that of queue_entry() */
    } while (waiting() != NULL);
}

/* ---- in ---------------------------------------------------------------------------------------- */

/* A message is cut so that its line with all around it is no longer than LOG_LINE_BYTES. */
static void fill(struct log_entry *entry, enum log_level level, uint32_t more, const char *format, va_list arguments)
{
    size_t size = LOG_LINE_BYTES - strlen("pronghorn: : ") - strlen(level_names[level]);
    struct timespec now;
    char tail[48] = "";
    int length;

    clock_gettime(CLOCK_REALTIME, &now);
    entry->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    entry->level = level;
    entry->stack = writer.stack_here != NULL ? writer.stack_here() : -1;
    if (more > 0)
        size -= (size_t)snprintf(tail, sizeof(tail), " (and %u more like this)", more);
    length = vsnprintf(entry->text, size, format, arguments);
    if (length < 0)
        entry->text[0] = '\0';
    else if ((size_t)length >= size) /* a cut line is better than none, and shows that it is cut */
        memcpy(entry->text + size - 4, "...", 3);
    strcat(entry->text, tail);
}

static void put_directly(enum log_level level, uint32_t more, const char *format, va_list arguments)
{
    struct log_entry entry = { 0 };
    char line[LOG_JSON_BYTES];

    fill(&entry, level, more, format, arguments);
    put_entry(&entry, line);
}

static struct slot *take_slot(void)
{
    uint64_t number = atomic_load_explicit(&queue.next, memory_order_relaxed);
    struct slot *slot;

    do {
        if (number - atomic_load_explicit(&queue.write, memory_order_acquire) >= KEPT)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&queue.next, &number, number + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    slot = &queue.slot[number % KEPT];
    atomic_store_explicit(&slot->ready, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* log_read() sees that before it sees anything new */
    slot->entry.sequence = number;
    return slot;
}

static void say(enum log_level level, uint32_t more, const char *format, va_list arguments)
{
    bool in_turn = atomic_load_explicit(&writer.running, memory_order_acquire) && writer.stack_here() >= 0;
    struct slot *slot = take_slot();

    if (slot != NULL) {
        fill(&slot->entry, level, more, format, arguments);
        atomic_store_explicit(&slot->ready, slot->entry.sequence, memory_order_release);
        atomic_thread_fence(memory_order_seq_cst); /* with that of write_out() */
    } else if (in_turn) {
        atomic_fetch_add_explicit(&queue.lost, 1, memory_order_relaxed);
    } else { /* the reader is slow, and this thread has the time */
        put_directly(level, more, format, arguments);
        return;
    }
    if (in_turn)
        sem_post(&writer.calls);
    else
        write_out();
}

static void say_plainly(enum log_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(level, 0, format, arguments);
    va_end(arguments);
}

static void say_lost(void)
{
    uint32_t lost = atomic_load_explicit(&queue.lost, memory_order_relaxed) == 0
                        ? 0 : atomic_exchange_explicit(&queue.lost, 0, memory_order_relaxed);

    if (lost > 0)
        say_plainly(LOG_LEVEL_WARN, "%u messages of stacks are lost: they came faster than they could be written",
                    lost);
}

/* ---- not too often ----------------------------------------------------------------------------- */

/* True: it was not listed, and is the first. */
static bool list_place(struct log_place *place)
{
    struct log_place *first = atomic_load(&held);

    if (atomic_exchange(&place->listed, true))
        return false;
    do {
        place->next = first;
    } while (!atomic_compare_exchange_weak(&held, &first, place));
    return first == NULL;
}

static bool may_say(struct log_place *place, uint32_t *more)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t until_ns = atomic_load_explicit(&place->until_ns, memory_order_relaxed);

    if (now_ns >= until_ns && atomic_compare_exchange_strong(&place->until_ns, &until_ns,
                                                             now_ns + place->interval_ms * UINT64_C(1000000)))
        atomic_store(&place->said, 0);
    if (atomic_fetch_add_explicit(&place->said, 1, memory_order_relaxed) < place->burst) {
        *more = atomic_exchange_explicit(&place->held_back, 0, memory_order_relaxed);
        return true;
    }
    atomic_fetch_add(&place->held_back, 1);
    if (list_place(place) && atomic_load_explicit(&writer.running, memory_order_acquire))
        sem_post(&writer.calls); /* it looks now and then from now on */
    return false;
}

/* Of places that fell silent since. */
static void tell_held(bool at_once)
{
    struct log_place *place = atomic_exchange(&held, NULL), *next;

    for (; place != NULL; place = next) {
        uint32_t more;

        next = place->next;
        atomic_store(&place->listed, false);
        if (!at_once && clock_now_ns() < atomic_load(&place->until_ns)) {
            list_place(place);
            continue;
        }
        more = atomic_exchange(&place->held_back, 0);
        if (more > 0 && log_is_on(place->level))
            say_plainly(place->level, "%u more like \"%s\" were held back", more, place->format);
    }
}

void log_line(struct log_place *place, enum log_level level, const char *format, ...)
{
    int saved_errno = errno;
    uint32_t more = 0;
    va_list arguments;

    if (!log_is_on(level) || (place != NULL && !may_say(place, &more)))
        return;
    va_start(arguments, format);
    say(level, more, format, arguments);
    va_end(arguments);
    errno = saved_errno;
}

/* ---- the writer -------------------------------------------------------------------------------- */

static void *run(void *argument)
{
    pthread_setname_np(pthread_self(), "pronghorn-log");
    while (!atomic_load(&writer.stopping)) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        if (atomic_load(&held) == NULL)
            sem_wait(&writer.calls);
        else
            sem_clockwait(&writer.calls, CLOCK_MONOTONIC, &until);
        tell_held(false);
        write_out();
    }
    return argument;
}

/* The thread is the parent's, and so is what it has to write. */
static void forked(void)
{
    atomic_store(&writer.running, false);
    atomic_store(&queue.write, atomic_load(&queue.next));
    atomic_store(&queue.writing.word, 0);
    atomic_store(&queue.lost, 0);
}

int log_start(int (*stack_here)(void))
{
    static bool attended;
    sigset_t all, before;
    int error;

    if (!attended)
        pthread_atfork(NULL, NULL, forked);
    attended = true;
    writer.stack_here = stack_here;
    atomic_store(&writer.stopping, false);
    sem_init(&writer.calls, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&writer.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    atomic_store_explicit(&writer.running, error == 0, memory_order_release);
    return -error;
}

/* Another thread may be at it. */
static void settle(uint64_t patience_us)
{
    uint64_t end_us = clock_now_us() + patience_us;

    for (;;) {
        write_out();
        if (atomic_load(&queue.write) == atomic_load(&queue.next) || clock_now_us() >= end_us)
            return;
        usleep(1000);
    }
}

void log_stop(void)
{
    struct timespec until;

    if (!atomic_exchange(&writer.running, false))
        return;
    atomic_store(&writer.stopping, true);
    sem_post(&writer.calls);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_US / 1000000;
    if (pthread_clockjoin_np(writer.thread, NULL, CLOCK_MONOTONIC, &until) != 0)
        pthread_detach(writer.thread); /* it hangs in a write that nobody reads */
    log_flush();
}

void log_flush(void)
{
    tell_held(true);
    settle(PATIENCE_US);
}

/* ---- the end ----------------------------------------------------------------------------------- */

void log_fatal(const char *format, ...)
{
    va_list arguments;

    settle(PATIENCE_US / 10); /* what led to it */
    va_start(arguments, format);
    put_directly(LOG_LEVEL_ERROR, 0, format, arguments);
    va_end(arguments);
}

_Noreturn void invariant_failed(const char *condition, const char *file, int line)
{
    log_fatal("invariant broken: %s (%s:%d); this is a bug in Pronghorn. What came before it stays in the flight "
              "recorder: pronghorn flight --pid %d",
              condition, file, line, (int)getpid());
    abort();
}

/* ---- for tools --------------------------------------------------------------------------------- */

bool log_read(uint64_t *sequence, struct log_entry *entry)
{
    for (;;) {
        uint64_t next = atomic_load_explicit(&queue.next, memory_order_acquire);
        const struct slot *slot;

        if (*sequence == 0)
            *sequence = 1;
        if (*sequence + KEPT < next)
            *sequence = next - KEPT;
        slot = &queue.slot[*sequence % KEPT];
        if (*sequence >= next)
            return false;
        if (atomic_load_explicit(&slot->ready, memory_order_acquire) == *sequence) {
            *entry = slot->entry;
            atomic_thread_fence(memory_order_acquire);
            if (atomic_load_explicit(&slot->ready, memory_order_relaxed) == *sequence) {
                (*sequence)++;
                return true;
            }
        } else if (atomic_load_explicit(&queue.next, memory_order_acquire) <= *sequence + KEPT) {
            return false; /* somebody is just writing it */
        }
    }
}
