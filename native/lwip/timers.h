/* SPDX-License-Identifier: Apache-2.0 */
/* Runs lwIP's periodic work that is due and returns when the next is; in a turn. See timers.c. */
#ifndef PRONGHORN_LWIP_TIMERS_H
#define PRONGHORN_LWIP_TIMERS_H

#include <stdint.h>

uint64_t timers_run(uint64_t now_us);

#endif
