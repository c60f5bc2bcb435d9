/* SPDX-License-Identifier: Apache-2.0 */
#include "console/pcapng.h"

#include <string.h>

#include "base/compiler.h"

#define LINKTYPE_ETHERNET 1
#define NANOSECONDS 9 /* if_tsresol: 10^-9 */

enum block {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BLOCK_JOURNAL = 9,
};
enum option {
    OPTION_END = 0,
    OPTION_IF_NAME = 2,
    OPTION_IF_DESCRIPTION = 3,
    OPTION_IF_TSRESOL = 9,
    OPTION_IF_FILTER = 11,
    OPTION_PACKET_FLAGS = 2,
    OPTION_STATISTICS_RECEIVED = 4,
    OPTION_STATISTICS_DROPPED = 5,
    OPTION_SECTION_APPLICATION = 4,
};

/* Puts one block together: its size first, then field after field, each padded to four bytes. */
struct writer {
    uint8_t *at;
};

static size_t padded(size_t bytes)
{
    return align_up(bytes, 4);
}

static size_t option_bytes(size_t bytes)
{
    return bytes == 0 ? 0 : 4 + padded(bytes);
}

static void put(struct writer *w, const void *bytes, size_t count)
{
    memcpy(w->at, bytes, count);
    memset(w->at + count, 0, padded(count) - count);
    w->at += padded(count);
}

static void put32(struct writer *w, uint32_t value)
{
    put(w, &value, 4);
}

static void put_option(struct writer *w, uint16_t code, const void *bytes, size_t count)
{
    uint16_t head[2] = { code, (uint16_t)count };

    if (count == 0 && code != OPTION_END)
        return;
    put(w, head, 4);
    if (count > 0)
        put(w, bytes, count);
}

/* `bytes`: of all between the two lengths. */
static bool begin(struct output *out, struct writer *w, uint32_t type, size_t bytes)
{
    uint32_t whole = (uint32_t)(12 + bytes);
    uint8_t *room = output_take(out, whole);

    if (room == NULL)
        return false;
    memcpy(room + whole - 4, &whole, 4);
    w->at = room;
    put32(w, type);
    put32(w, whole);
    return true;
}

bool pcapng_section(struct output *out, const char *application)
{
    const uint64_t unknown = UINT64_MAX;
    size_t length = strnlen(application, 128);
    struct writer w;

    if (!begin(out, &w, BLOCK_SECTION, 16 + option_bytes(length) + 4))
        return false;
    put32(&w, 0x1a2b3c4d);
    put32(&w, 1); /* version 1.0 */
    put(&w, &unknown, 8);
    put_option(&w, OPTION_SECTION_APPLICATION, application, length);
    put_option(&w, OPTION_END, NULL, 0);
    return true;
}

bool pcapng_interface(struct output *out, const char *name, const char *description, uint32_t snap_bytes,
                      const char *filter)
{
    const uint8_t resolution = NANOSECONDS;
    size_t name_bytes = strnlen(name, 64), description_bytes = strnlen(description, 128);
    size_t filter_bytes = strnlen(filter, 2048);
    uint8_t text[2049] = { 0 }; /* the first byte says: a string */
    struct writer w;

    if (!begin(out, &w, BLOCK_INTERFACE,
               8 + option_bytes(name_bytes) + option_bytes(description_bytes) + option_bytes(1) +
                   option_bytes(filter_bytes ? filter_bytes + 1 : 0) + 4))
        return false;
    put32(&w, LINKTYPE_ETHERNET);
    put32(&w, snap_bytes);
    put_option(&w, OPTION_IF_NAME, name, name_bytes);
    put_option(&w, OPTION_IF_DESCRIPTION, description, description_bytes);
    put_option(&w, OPTION_IF_TSRESOL, &resolution, 1);
    memcpy(text + 1, filter, filter_bytes);
    put_option(&w, OPTION_IF_FILTER, text, filter_bytes ? filter_bytes + 1 : 0);
    put_option(&w, OPTION_END, NULL, 0);
    return true;
}

bool pcapng_packet(struct output *out, uint32_t interface, uint64_t time_ns, uint32_t direction, uint32_t length,
                   const void *bytes, uint32_t captured)
{
    struct writer w;

    if (!begin(out, &w, BLOCK_PACKET, 20 + padded(captured) + option_bytes(4) + 4))
        return false;
    put32(&w, interface);
    put32(&w, (uint32_t)(time_ns >> 32));
    put32(&w, (uint32_t)time_ns);
    put32(&w, captured);
    put32(&w, length);
    put(&w, bytes, captured);
    put_option(&w, OPTION_PACKET_FLAGS, &direction, 4); /* 1 inbound, 2 outbound */
    put_option(&w, OPTION_END, NULL, 0);
    return true;
}

bool pcapng_journal(struct output *out, const char *text)
{
    size_t length = strlen(text);
    struct writer w;

    if (!begin(out, &w, BLOCK_JOURNAL, padded(length)))
        return false;
    put(&w, text, length);
    return true;
}

bool pcapng_statistics(struct output *out, uint32_t interface, uint64_t time_ns, uint64_t seen, uint64_t missed)
{
    struct writer w;

    if (!begin(out, &w, BLOCK_STATISTICS, 12 + 2 * option_bytes(8) + 4))
        return false;
    put32(&w, interface);
    put32(&w, (uint32_t)(time_ns >> 32));
    put32(&w, (uint32_t)time_ns);
    put_option(&w, OPTION_STATISTICS_RECEIVED, &seen, 8);
    put_option(&w, OPTION_STATISTICS_DROPPED, &missed, 8);
    put_option(&w, OPTION_END, NULL, 0);
    return true;
}
