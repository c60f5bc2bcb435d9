/* SPDX-License-Identifier: Apache-2.0 */
/* The segment's description of itself, made from counters.def. */
#ifndef STATS_DIRECTORY_H
#define STATS_DIRECTORY_H

#include "stats/segment.h"

extern const struct segment_entry segment_directory[];
extern const uint32_t segment_directory_entries;

#endif
