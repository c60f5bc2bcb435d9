/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP's timers: a wheel of 1 ms steps that holds only PCBs with something to wait for. A PCB is in it
 * once, at the earliest of its times; what is found early is put back. So restarting a timer, as each
 * ACK does, is a store, and an idle connection without keepalive is not in the wheel at all.
 * TIME_WAIT is a queue: all wait equally long.
 */
#ifndef PRONGHORN_LWIP_TCP_TIMER_H
#define PRONGHORN_LWIP_TCP_TIMER_H

#include <stdint.h>

struct tcp_pcb;

int tcp_timer_start(uint64_t now_us);
void tcp_timer_stop(void);

/* instance.c: the time of this turn. */
void tcp_timer_clock(uint64_t now_us);

/* Runs what is due, at most a batch of connections; returns when to come again (absolute us, now if
 * something is left), UINT64_MAX if never. */
uint64_t tcp_timer_run(uint64_t now_us);

/* Also for the socket layer, after it changed keep_idle, keep_intvl, keep_cnt or SOF_KEEPALIVE. */
void tcp_timer_update(struct tcp_pcb *pcb);

#endif
