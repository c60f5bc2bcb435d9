/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/directory.h"

#define SIGNED_u8 0
#define SIGNED_u16 0
#define SIGNED_u32 0
#define SIGNED_u64 0
#define SIGNED_bytes16 0
#define SIGNED_i32 1

#define STACK_ENTRY(field, unit_text, kind_, detail_, help_text)                                   \
    {.name = #field, .unit = unit_text, .scope = SEGMENT_STACK, .kind = kind_, .detail = detail_,  \
     .offset = offsetof(struct stats_stack, field),                                                \
     .bytes = sizeof(((struct stats_stack *)0)->field), .help = help_text},

const struct segment_entry segment_directory[] = {
#define COUNTER(name, unit, help) STACK_ENTRY(name, unit, SEGMENT_counter, 0, help)
#define GAUGE(name, unit, help) STACK_ENTRY(name, unit, SEGMENT_gauge, 0, help)
#define HISTOGRAM(name, unit, help) \
    STACK_ENTRY(name, unit, SEGMENT_histogram, HISTOGRAM_STEP_BITS, help)
#define CHOSEN(field, unit_text, help_text)                                                             \
    {.name = #field, .unit = unit_text, .scope = SEGMENT_CHOSEN, .kind = SEGMENT_histogram,             \
     .detail = HISTOGRAM_STEP_BITS, .offset = offsetof(struct stats_chosen, field),                     \
     .bytes = sizeof(((struct stats_chosen *)0)->field), .help = help_text},
#define SOCKET(field, type, kind_, unit_text, help_text)                               \
    {.name = #field, .unit = unit_text, .scope = SEGMENT_SOCKET, .kind = SEGMENT_##kind_, \
     .is_signed = SIGNED_##type, .offset = offsetof(struct stats_socket, field),       \
     .bytes = sizeof(((struct stats_socket *)0)->field), .help = help_text},
#define SOCKET_WORD(field, value, text) \
    {.name = text, .unit = #field, .scope = SEGMENT_WORD, .kind = SEGMENT_word, .offset = value},
#include "stats/counters.def"
};

const uint32_t segment_directory_entries = ARRAY_SIZE(segment_directory);

/* A text that is cut would have no end; the compiler only warns of longer ones. */
#define FITS(text, member) \
    _Static_assert(sizeof(text) <= sizeof(((struct segment_entry *)0)->member), text);
#define COUNTER(name_, unit_, help_) FITS(#name_, name) FITS(unit_, unit) FITS(help_, help)
#define GAUGE(name_, unit_, help_) COUNTER(name_, unit_, help_)
#define HISTOGRAM(name_, unit_, help_) COUNTER(name_, unit_, help_)
#define CHOSEN(name_, unit_, help_) COUNTER(name_, unit_, help_)
#define SOCKET(name_, type, kind, unit_, help_) COUNTER(name_, unit_, help_)
#define SOCKET_WORD(field, value, text) FITS(text, name) FITS(#field, unit)
#include "stats/counters.def"
