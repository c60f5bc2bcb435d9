/* SPDX-License-Identifier: Apache-2.0 */
/* One source, two programs: on the kernel's calls, or (TEST_PRONGHORN) on ours. */
#ifndef TEST_NET_CALLS_H
#define TEST_NET_CALLS_H

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef TEST_PRONGHORN
#include "pronghorn.h"
#define CALL(name) ph_##name
#else
#define CALL(name) name
#endif

#endif
