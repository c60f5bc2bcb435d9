/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statistics segment: /dev/shm/pronghorn.<pid>, one for each process, readable by its user. It
 * describes itself (struct segment_header and a directory of names, units, kinds and offsets), so a
 * reader needs no knowledge of counters.def and one of another version still works:
 *
 *     header | directory | facts | one block for each stack | socket rows | sets for chosen sockets
 *
 * The last two are backed as they are used.
 *
 * The facts are what does not change after the start (settings, ports, sizes): lines of JSON.
 *
 * It appears complete, in one moment, and goes at exit. A process that was killed leaves its file,
 * for a while (shared_file.h).
 *
 * If shared memory cannot be had, the counters go to private memory, with a warning: a process must
 * not fail because it cannot be watched.
 */
#ifndef STATS_SEGMENT_H
#define STATS_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/shared_file.h"
#include "stats/stats.h"

#define SEGMENT_MAGIC "PRNGHORN"
#define SEGMENT_VERSION 1
#define SEGMENT_CHOSEN_MAX 16
#define SEGMENT_FACTS_BYTES (64u << 10)
#define SEGMENT_DIRECTORY SHARED_FILE_DIRECTORY

/* Little-endian, as all in the segment. Never shrinks or changes order within a version. */
struct segment_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t total_bytes;
    uint32_t pid;
    uint32_t stacks;
    uint64_t start_ticks; /* field 22 of /proc/<pid>/stat: tells a pid that is used again */
    uint64_t start_ms;    /* since 1970 */
    char name[32];        /* runtime.name, or the program's */
    char product[64];     /* version of Pronghorn and what is in it */
    uint32_t directory_offset;
    uint32_t directory_entries;
    uint32_t directory_entry_bytes;
    uint32_t stack_bytes; /* from one stack's block to the next */
    uint64_t stack_offset;
    uint64_t socket_offset;
    uint32_t socket_bytes; /* from one row to the next */
    uint32_t sockets_max;
    _Atomic uint32_t sockets_used; /* rows from here on were never used and need not be read */
    uint32_t facts_bytes; /* 0: not known yet */
    /* From here on only if header_bytes says so. */
    uint64_t facts_offset;
    _Atomic uint32_t facts_sequence; /* odd: being written */
    uint32_t reserved;
    uint64_t chosen_offset;
    uint32_t chosen_bytes; /* from one set to the next; it begins with a socket's row */
    uint32_t chosen_max;
};

enum segment_scope { SEGMENT_STACK, SEGMENT_SOCKET, SEGMENT_WORD, SEGMENT_CHOSEN };

enum segment_kind {
    SEGMENT_counter, /* unsigned, only grows */
    SEGMENT_gauge,   /* unsigned */
    SEGMENT_number,  /* unsigned, or signed if its type is */
    SEGMENT_word,    /* unsigned; entries of scope WORD name its values */
    SEGMENT_address, /* 16 bytes; of what kind the field `family` tells */
    SEGMENT_histogram, /* sum, max, buckets; `detail` is HISTOGRAM_STEP_BITS */
};

/* For scope WORD: `unit` is the field's name, `name` the word, `offset` the value. */
struct segment_entry {
    char name[32];
    char unit[16];
    uint8_t scope; /* enum segment_scope */
    uint8_t kind;  /* enum segment_kind */
    uint8_t is_signed;
    uint8_t detail;
    uint32_t offset; /* in the stack's block, the socket's row, or the chosen one's set */
    uint32_t bytes;
    char help[132];
};

struct segment_settings {
    const char *name;    /* empty: the program's */
    const char *product; /* ph_version() */
    unsigned stacks;
    unsigned sockets_max;
    bool shared; /* stats.enabled */
};

/* Once, before the stacks start. 0, or -ENOMEM, -EINVAL. Sweeps what killed processes left. */
int segment_create(const struct segment_settings *settings, char *err, size_t err_size);

/* NULL: there is none. */
const struct segment_header *segment_header(void);

/* Valid until segment_remove(). All zero at first. */
struct stats_stack *segment_stack(unsigned index);

/* Sets the facts; one thread at a time. What does not fit is cut after a whole line. */
void segment_facts(const char *text, size_t bytes);

/*
 * Row `index` for a new socket, or NULL: beyond stats.sockets_max, or no memory for it; then the
 * socket is not shown. Any thread; the caller sees to it that an index has one user at a time.
 */
struct stats_socket *segment_socket(unsigned index);

/* Set `index` for a socket that is measured by itself; NULL: no memory for it. One thread at a time. */
struct stats_chosen *segment_chosen(unsigned index);

/* After the stacks have stopped. Idempotent. In a forked child: leaves the file to the parent. */
void segment_remove(void);

#endif
