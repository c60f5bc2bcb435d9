/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_LIFE_H
#define API_LIFE_H

/* The runtime runs, or is started now from file and environment. 0 or -errno. */
int life_ensure(void);

#endif
