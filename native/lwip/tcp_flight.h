/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to connections, for the flight recorder (stats/flight.h) and for trace points
 * (stats/trace.h). Included by lwIP's own files too.
 */
#ifndef PRONGHORN_LWIP_TCP_FLIGHT_H
#define PRONGHORN_LWIP_TCP_FLIGHT_H

#include "stats/flight.h"

struct tcp_pcb;
struct trace;

/* In the statistics; 0: it has none. */
typedef uint64_t trace_socket_id(const struct tcp_pcb *pcb);

/* In a turn: from now on this ring; NULL: none. */
void tcp_flight_use(struct flight_ring *ring);
/* In a turn: the same of the trace points, with what tells a connection's socket. */
void tcp_trace_use(const struct trace *trace, trace_socket_id *socket_id);

/* Only when one of them is on. */
void tcp_flight_note(const struct tcp_pcb *pcb, enum flight_event event, unsigned state_before);

/* A reset that may belong to no connection; `local`, `remote` are lwIP's ip_addr_t. Any time. */
void tcp_flight_reset_out(const void *local, const void *remote, uint16_t local_port, uint16_t peer_port,
                          uint32_t sequence, uint32_t acknowledged);

#endif
