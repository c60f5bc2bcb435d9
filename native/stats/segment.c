/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/segment.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel_calls.h"
#include "base/log.h"
#include "stats/directory.h"
#include "stats/shared_file.h"

/* Rows get their memory in pieces of this size, so that a small process stays small. */
#define SOCKET_PIECE_BYTES (64u << 10)

/* One segment for a process. `fd` is -1 when it is private memory. */
static struct {
    struct segment_header *header;
    uint64_t bytes;
    int fd;
    pid_t owner;
    char path[64];
    /* Socket rows below this have memory behind them. */
    _Atomic uint32_t sockets_backed;
    pthread_mutex_t backing;
    uint32_t chosen_backed; /* the same of the sets */
} segment = {.fd = -1, .backing = PTHREAD_MUTEX_INITIALIZER};

/* ---- layout ---------------------------------------------------------------------------------- */

static struct segment_header plan(const struct segment_settings *settings)
{
    const size_t page = 4096;
    struct segment_header header = {
        .magic = SEGMENT_MAGIC,
        .version = SEGMENT_VERSION,
        .header_bytes = sizeof(struct segment_header),
        .stacks = settings->stacks,
        .directory_offset = align_up(sizeof(struct segment_header), CACHE_LINE),
        .directory_entries = segment_directory_entries,
        .directory_entry_bytes = sizeof(struct segment_entry),
        /* Pages of its own, so that each stack's block can lie on its NUMA node. */
        .stack_bytes = (uint32_t)align_up(sizeof(struct stats_stack), page),
        .socket_bytes = sizeof(struct stats_socket),
        .sockets_max = settings->sockets_max,
        .chosen_bytes = sizeof(struct stats_chosen),
        .chosen_max = SEGMENT_CHOSEN_MAX,
    };

    header.facts_offset = align_up(
        header.directory_offset + (size_t)header.directory_entries * header.directory_entry_bytes,
        page);
    header.stack_offset = header.facts_offset + SEGMENT_FACTS_BYTES;
    header.socket_offset = header.stack_offset + (uint64_t)header.stacks * header.stack_bytes;
    header.chosen_offset = align_up(
        header.socket_offset + (size_t)header.sockets_max * header.socket_bytes, page);
    header.total_bytes = align_up(
        header.chosen_offset + (size_t)header.chosen_max * header.chosen_bytes, page);
    return header;
}

static void describe(struct segment_header *header, const struct segment_settings *settings)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    header->pid = (uint32_t)getpid();
    header->start_ticks = shared_file_start_ticks();
    header->start_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    snprintf(header->name, sizeof(header->name), "%s",
             settings->name && *settings->name ? settings->name : program_invocation_short_name);
    snprintf(header->product, sizeof(header->product), "%s",
             settings->product ? settings->product : "");
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* (A private mapping needs none of it.) */
static int back(uint64_t offset, uint64_t bytes)
{
    return segment.fd < 0 ? 0 : shared_file_back(segment.fd, offset, bytes);
}

static int open_unnamed(const struct segment_header *planned)
{
    int result;

    segment.fd = shared_file_create(planned->total_bytes);
    if (segment.fd < 0)
        return segment.fd;
    /* The facts and the rows get theirs when they are written. */
    result = back(0, planned->facts_offset);
    return result < 0 ? result : back(planned->stack_offset, planned->socket_offset - planned->stack_offset);
}

static int map(const struct segment_header *planned, int fd)
{
    void *memory = mmap(NULL, planned->total_bytes, PROT_READ | PROT_WRITE,
                        fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED, fd, 0);

    if (memory == MAP_FAILED)
        return -errno;
    segment.header = memory;
    segment.bytes = planned->total_bytes;
    *segment.header = *planned;
    memcpy((char *)memory + planned->directory_offset, segment_directory,
           (size_t)planned->directory_entries * planned->directory_entry_bytes);
    return 0;
}

static void unmap(void)
{
    if (segment.header)
        munmap(segment.header, segment.bytes);
    if (segment.fd >= 0)
        kernel.close(segment.fd);
    segment.header = NULL;
    segment.fd = -1;
}

/* ---- life ------------------------------------------------------------------------------------ */

int segment_create(const struct segment_settings *settings, char *err, size_t err_size)
{
    struct segment_header planned = plan(settings);
    int result;

    if (segment.header) {
        snprintf(err, err_size, "statistics: they exist already");
        return -EINVAL;
    }
    describe(&planned, settings);
    atomic_store(&segment.sockets_backed, 0);
    segment.chosen_backed = 0;
    segment.owner = getpid();
    if (settings->shared) {
        snprintf(segment.path, sizeof(segment.path), SEGMENT_DIRECTORY "/" SHARED_FILE_PREFIX "%d",
                 (int)segment.owner);
        shared_file_sweep("");
        shared_file_remove_stale(segment.path); /* of an earlier process with our number */
        result = open_unnamed(&planned);
        if (result == 0)
            result = map(&planned, segment.fd);
        if (result == 0)
            result = shared_file_publish(segment.fd, segment.path);
        if (result == 0)
            return 0;
        unmap();
        log_warn("statistics: %s cannot be made: %s; the tools will not see this process "
                 "(stats.enabled = off silences this)", segment.path, strerror(-result));
    }
    result = map(&planned, -1);
    if (result < 0)
        snprintf(err, err_size, "statistics: no memory for %u stacks and %u sockets: %s; lower "
                 "stats.sockets_max", settings->stacks, settings->sockets_max, strerror(-result));
    return result;
}

void segment_remove(void)
{
    /* A forked child shares the memory and the name with its parent: they stay the parent's. */
    if (segment.fd >= 0 && segment.owner == getpid())
        unlink(segment.path);
    unmap();
}

const struct segment_header *segment_header(void)
{
    return segment.header;
}

struct stats_stack *segment_stack(unsigned index)
{
    INVARIANT(segment.header && index < segment.header->stacks);
    return (struct stats_stack *)((char *)segment.header + segment.header->stack_offset +
                                  (size_t)index * segment.header->stack_bytes);
}

void segment_facts(const char *text, size_t bytes)
{
    struct segment_header *header = segment.header;
    uint32_t sequence = atomic_load_explicit(&header->facts_sequence, memory_order_relaxed);

    while (bytes > SEGMENT_FACTS_BYTES || (bytes > 0 && text[bytes - 1] != '\n'))
        bytes--;
    if (bytes > 0 && back(header->facts_offset, bytes) < 0) {
        log_warn("statistics: no shared memory for the settings; the tools will not show them");
        bytes = 0;
    }
    atomic_store_explicit(&header->facts_sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    memcpy((char *)header + header->facts_offset, text, bytes);
    header->facts_bytes = (uint32_t)bytes;
    atomic_store_explicit(&header->facts_sequence, sequence + 2, memory_order_release);
}

/* Memory for the row and some more; false: there is none. */
static bool back_sockets(uint32_t index)
{
    const struct segment_header *header = segment.header;
    uint32_t piece = SOCKET_PIECE_BYTES / header->socket_bytes;
    bool done = true;

    pthread_mutex_lock(&segment.backing);
    uint32_t backed = atomic_load_explicit(&segment.sockets_backed, memory_order_relaxed);
    if (index >= backed) {
        uint32_t more = min_u32(max_u32(index - backed + 1, piece), header->sockets_max - backed);
        done = back(header->socket_offset + (uint64_t)backed * header->socket_bytes,
                    (uint64_t)more * header->socket_bytes) == 0;
        if (done)
            atomic_store_explicit(&segment.sockets_backed, backed + more, memory_order_release);
    }
    pthread_mutex_unlock(&segment.backing);
    return done;
}

struct stats_socket *segment_socket(unsigned index)
{
    struct segment_header *header = segment.header;
    uint32_t used;

    INVARIANT(header);
    if (index >= header->sockets_max)
        return NULL;
    if (index >= atomic_load_explicit(&segment.sockets_backed, memory_order_acquire) &&
        !back_sockets(index))
        return NULL;
    used = atomic_load_explicit(&header->sockets_used, memory_order_relaxed);
    while (used <= index && !atomic_compare_exchange_weak(&header->sockets_used, &used, index + 1))
        ;
    return (struct stats_socket *)((char *)header + header->socket_offset +
                                   (size_t)index * header->socket_bytes);
}

struct stats_chosen *segment_chosen(unsigned index)
{
    struct segment_header *header = segment.header;

    INVARIANT(header && index < header->chosen_max);
    if (index >= segment.chosen_backed) {
        if (back(header->chosen_offset, (uint64_t)(index + 1) * header->chosen_bytes) < 0)
            return NULL;
        segment.chosen_backed = index + 1;
    }
    return (struct stats_chosen *)((char *)header + header->chosen_offset + (size_t)index * header->chosen_bytes);
}
