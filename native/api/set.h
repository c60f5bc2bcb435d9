/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that may change while the process runs. */
#ifndef API_SET_H
#define API_SET_H

#include <stddef.h>
#include <stdint.h>

struct config;
struct port;
struct stack;

/* How long a stack goes on looking before it sleeps; UINT64_MAX: for ever. */
uint64_t set_spin_us(const struct config *config, const struct stack *stack);

/* What set_live() changes and tells; valid until the stacks stop. */
void set_open(struct config *config, struct port *const *ports, unsigned ports_count);

/* For the console. 0, or -EINVAL, or -ETIMEDOUT (a stack hangs), and a reason. */
int set_live(const char *key, const char *value, char *err, size_t err_size);

#endif
