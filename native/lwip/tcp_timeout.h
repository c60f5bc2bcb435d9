/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection waits for, and what happens when the time has come. In a turn. */
#ifndef PRONGHORN_LWIP_TCP_TIMEOUT_H
#define PRONGHORN_LWIP_TCP_TIMEOUT_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_pcb;

/* False: nothing. Else *due_ms (in tcp_ticks) is the earliest of its times, maybe past. */
bool tcp_timeout_next(const struct tcp_pcb *pcb, uint32_t *due_ms);

/* Does what is due. False: the PCB is gone. */
bool tcp_timeout_run(struct tcp_pcb *pcb);

/* A connection that is not up yet ends for that reason: positive errno, which on_err gets. The PCB is gone. */
void tcp_timeout_fail(struct tcp_pcb *pcb, int8_t error);

/* A link is up again: what waits for a time-out need not wait any longer. */
void tcp_timeout_link_is_up(void);

#endif
