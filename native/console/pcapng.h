/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of a capture file (draft-ietf-opsawg-pcapng), times in nanoseconds. */
#ifndef CONSOLE_PCAPNG_H
#define CONSOLE_PCAPNG_H

#include <stdint.h>

#include "console/output.h"

/* Each: false when there is no memory for it. */
bool pcapng_section(struct output *out, const char *application);
bool pcapng_interface(struct output *out, const char *name, const char *description, uint32_t snap_bytes,
                      const char *filter);
bool pcapng_packet(struct output *out, uint32_t interface, uint64_t time_ns, uint32_t direction, uint32_t length,
                   const void *bytes, uint32_t captured);
/* An event in words, as systemd's journal exports it: FIELD=value and a line's end, each. */
bool pcapng_journal(struct output *out, const char *text);
bool pcapng_statistics(struct output *out, uint32_t interface, uint64_t time_ns, uint64_t seen, uint64_t missed);

#endif
