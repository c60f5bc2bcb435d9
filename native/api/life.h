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

/* Around a fork. In the child: true if the parent's stacks ran, which then are out of reach. */
enum life_fork { LIFE_FORK_BEFORE, LIFE_FORK_PARENT, LIFE_FORK_CHILD };
bool life_fork(enum life_fork moment);

/* There are sockets, they are this process's, and this thread is in no call of ours. */
bool life_may_leave(void);

/* The process ends or becomes another program: closes all sockets, so that peers see it. */
void life_leave(void);

/* Started, and not stopped yet. */
bool life_is_running(void);

/* The settings read by life_shim(). */
struct config;
const struct config *life_settings(void);

#endif
