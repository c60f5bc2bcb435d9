/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/flight.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel_calls.h"
#include "stats/segment.h"
#include "stats/shared_file.h"

#define RINGS_MAX 64
#define PAGE 4096

static struct file {
    struct flight_header *header;
    int fd;
    bool named;
    pid_t owner;
    char path[64];
    struct flight_ring *ring[RINGS_MAX];
} files[FLIGHT_FILES] = { { .fd = -1 }, { .fd = -1 } };

static const char *const suffixes[] = { [FLIGHT_FILE_RECORDER] = ".flight", [FLIGHT_FILE_TRACE] = ".trace" };

static const char *const event_names[] = {
#define FLIGHT_EVENT_NAME(name, text) text,
    FLIGHT_EVENTS(FLIGHT_EVENT_NAME)
};

const char *flight_event_name(unsigned event)
{
    return event < FLIGHT_EVENT_COUNT ? event_names[event] : "?";
}

/* ---- life -------------------------------------------------------------------------------------- */

void flight_set_wall(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    for (unsigned i = 0; i < FLIGHT_FILES; i++)
        if (files[i].header != NULL)
            atomic_store_explicit(&files[i].header->wall_ns,
                                  (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - clock_now_ns(),
                                  memory_order_relaxed);
}

static struct flight_header plan(const struct flight_settings *settings)
{
    const struct segment_header *segment = segment_header();
    struct flight_header header = {
        .magic = FLIGHT_MAGIC,
        .version = FLIGHT_VERSION,
        .header_bytes = sizeof(header),
        .pid = segment->pid,
        .stacks = min_u32(settings->stacks, RINGS_MAX),
        .start_ticks = segment->start_ticks,
        .start_ms = segment->start_ms,
        .ring_offset = PAGE,
        .ring_head_bytes = PAGE,
        .slots = 64,
        .snap_bytes = settings->snap_bytes,
        .slot_bytes = (uint32_t)align_up(sizeof(struct flight_record) + settings->snap_bytes, CACHE_LINE),
    };

    memcpy(header.name, segment->name, sizeof(header.name));
    memcpy(header.product, segment->product, sizeof(header.product));
    while ((uint64_t)header.slots * 2 * header.slot_bytes <= settings->ring_bytes)
        header.slots *= 2;
    header.ring_bytes = align_up(header.ring_head_bytes + (size_t)header.slots * header.slot_bytes, PAGE);
    header.total_bytes = header.ring_offset + header.stacks * header.ring_bytes;
    return header;
}

static void remove_file(struct file *file)
{
    /* A forked child shares the memory and the name with its parent: they stay the parent's. */
    if (file->named && file->owner == getpid())
        unlink(file->path);
    if (file->header != NULL)
        munmap(file->header, file->header->total_bytes);
    if (file->fd >= 0)
        kernel.close(file->fd);
    file->header = NULL;
    file->named = false;
    file->fd = -1;
}

int flight_create(const struct flight_settings *settings)
{
    struct flight_header planned = plan(settings);
    struct file *file = &files[settings->file];
    void *memory;
    int result;

    INVARIANT(file->header == NULL);
    file->owner = getpid();
    snprintf(file->path, sizeof(file->path), SHARED_FILE_DIRECTORY "/" SHARED_FILE_PREFIX "%d%s", (int)file->owner,
             suffixes[settings->file]);
    for (unsigned i = 0; i < FLIGHT_FILES; i++)
        shared_file_sweep(suffixes[i]);
    shared_file_remove_stale(file->path); /* of an earlier process with our number */
    file->fd = shared_file_create(planned.total_bytes);
    if (file->fd < 0)
        return file->fd;
    result = shared_file_back(file->fd, 0, planned.total_bytes);
    memory = result < 0 ? MAP_FAILED
                        : mmap(NULL, planned.total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (result == 0 && memory == MAP_FAILED)
        result = -errno;
    if (result == 0) {
        file->header = memory;
        *file->header = planned;
        flight_set_wall();
        for (unsigned i = 0; i < planned.stacks; i++) {
            struct flight_ring *ring = (void *)((uint8_t *)memory + planned.ring_offset + i * planned.ring_bytes);

            ring->mask = planned.slots - 1;
            ring->slot_bytes = planned.slot_bytes;
            ring->slot = (uint8_t *)ring + planned.ring_head_bytes;
            file->ring[i] = ring;
        }
        result = shared_file_publish(file->fd, file->path);
        file->named = result == 0;
    }
    if (result < 0)
        remove_file(file);
    return result;
}

struct flight_ring *flight_ring_of(enum flight_file file, unsigned stack)
{
    return files[file].header != NULL && stack < files[file].header->stacks ? files[file].ring[stack] : NULL;
}

const struct flight_header *flight_header_of(enum flight_file file)
{
    return files[file].header;
}

void flight_remove(void)
{
    for (unsigned i = 0; i < FLIGHT_FILES; i++)
        remove_file(&files[i]);
}
