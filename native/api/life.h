/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_LIFE_H
#define API_LIFE_H

#include <stdbool.h>

/* The runtime runs, or is started now from file and environment. 0 or -errno. */
int life_ensure(void);

/*
 * For a shim: reads the settings and opens the descriptor table, without starting a stack yet. False:
 * a setting is wrong, which was said.
 */
bool life_shim(void);

#endif
