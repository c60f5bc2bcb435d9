/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcpdump's filter language, by libpcap itself, so that it is exactly that. The library is opened
 * when the first filter is compiled: who never filters does not need it.
 */
#ifndef CONSOLE_FILTER_H
#define CONSOLE_FILTER_H

#include <stddef.h>

#include "port/capture_ring.h"

struct filter;

/* 0, -EINVAL (the expression is wrong) or -ENOENT (no libpcap), and why. */
int filter_compile(const char *expression, struct filter **out, char *err, size_t err_size);
/* One more owner, or one less: the last one frees it. Any thread; NULL: nothing. */
void filter_hold(struct filter *filter);
void filter_free(struct filter *filter);

/* For capture_settings and faults_settings; the program is the struct filter. */
capture_filter filter_matches;

#endif
