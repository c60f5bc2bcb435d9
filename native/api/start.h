/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the process's stacks together from the settings, and takes them apart. Cold; one thread. */
#ifndef API_START_H
#define API_START_H

#include <stddef.h>

struct config;

/*
 * 0, or -errno with the reason in err; then nothing is left behind but DPDK's EAL. `config` must last
 * until stop_all(); what an operator changes is written there.
 */
int start_all(struct config *config, const char *product, char *err, size_t err_size);

/* What the settings say of messages. */
void start_log(const struct config *config);

/* Idempotent. All sockets must be closed before. */
void stop_all(void);

#endif
