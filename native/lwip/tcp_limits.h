/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much a connection may hold: SO_SNDBUF, SO_RCVBUF and what grows buffers by itself. In a turn.
 * A limit grows at once and shrinks only as far as nothing is queued, unread or already promised to
 * the peer; both functions return the limit that is in force afterwards.
 */
#ifndef PRONGHORN_LWIP_TCP_LIMITS_H
#define PRONGHORN_LWIP_TCP_LIMITS_H

#include <stdint.h>

/* What the window scale that we announce (TCP_RCV_SCALE) can express. */
#define TCP_LIMIT_MAX_BYTES (65535U << 7)

struct tcp_pcb;

uint32_t tcp_limit_send(struct tcp_pcb *pcb, uint32_t bytes);
uint32_t tcp_limit_receive(struct tcp_pcb *pcb, uint32_t bytes);
/* What each new connection of the listener starts with, from the SYN-ACK on. */
void tcp_limit_receive_of_listener(struct tcp_pcb *listener, uint32_t bytes);

/* Bytes queued and not yet acknowledged; bytes delivered and not yet reported by tcp_recved(). */
uint32_t tcp_queued_bytes(const struct tcp_pcb *pcb);
uint32_t tcp_unread_bytes(const struct tcp_pcb *pcb);

/*
 * After the receive callback refused data (returned anything but ERR_OK or ERR_ABRT) and there is
 * room again: offers it once more. -EAGAIN: still refused; -ECONNABORTED: the PCB is gone.
 */
int tcp_resume_receive(struct tcp_pcb *pcb);

#endif
