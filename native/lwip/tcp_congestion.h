/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control: how the window grows and what a loss makes of it. A strategy is one row of
 * functions (tcp_congestion.c), chosen by pcb->congestion (enum tcp_congestion).
 */
#ifndef PRONGHORN_LWIP_TCP_CONGESTION_H
#define PRONGHORN_LWIP_TCP_CONGESTION_H

#include <stdint.h>

struct tcp_pcb;

/* "cubic", "reno"; NULL: no such strategy. The other way round: -1. */
const char *tcp_congestion_name(unsigned int congestion);
int tcp_congestion_find(const char *name);

/* `acked` bytes were acknowledged when `flight` bytes were in flight. */
void tcp_congestion_acked(struct tcp_pcb *pcb, uint32_t acked, uint32_t flight);

/* Something was lost: sets ssthresh. */
void tcp_congestion_loss(struct tcp_pcb *pcb, uint32_t flight);

#endif
