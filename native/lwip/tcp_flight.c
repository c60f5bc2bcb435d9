/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp_flight.h. */
#include "lwip/tcp_flight.h"

#include <string.h>

#include "lwip/events.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp_info.h"
#include "stats/trace.h"

static void decide(struct lwip_events *events)
{
    events->noted = events->flight != NULL || events->trace != NULL;
}

void tcp_flight_use(struct flight_ring *ring)
{
    INSTANCE(lwip_events).flight = ring;
    decide(&INSTANCE(lwip_events));
}

void tcp_trace_use(const struct trace *trace, trace_socket_id *socket_id)
{
    INSTANCE(lwip_events).trace = trace;
    INSTANCE(lwip_events).socket_id = socket_id;
    decide(&INSTANCE(lwip_events));
}

static void trace_event(const struct trace *trace, const struct tcp_pcb *pcb, enum flight_event event,
                        unsigned state_before)
{
    /* (A listener is a shorter struct.) */
    bool listens = pcb->state == LISTEN || state_before == LISTEN;
    struct trace_note note = { .socket = INSTANCE(lwip_events).socket_id(pcb), .local_port = pcb->local_port,
                               .peer_port = listens ? 0 : pcb->remote_port };

    if (event == FLIGHT_EVENT_state && trace_is_on(trace, TRACE_BIT(state))) {
        note.value[0] = state_before;
        note.value[1] = pcb->state;
        trace_write(trace, TRACE_state, &note);
    } else if (event == FLIGHT_EVENT_tcp_retransmits && trace_is_on(trace, TRACE_BIT(retransmit))) {
        note.value[0] = pcb->lastack;
        note.value[1] = pcb->nrtx;
        trace_write(trace, TRACE_retransmit, &note);
    } else if (event == FLIGHT_EVENT_tcp_rto && trace_is_on(trace, TRACE_BIT(rto))) {
        note.value[0] = (uint64_t)pcb->rto * 1000;
        note.value[1] = pcb->nrtx;
        trace_write(trace, TRACE_rto, &note);
    }
}

static void note_addresses(struct flight_tcp *note, const ip_addr_t *local, const ip_addr_t *remote)
{
    note->family = IP_IS_V6(remote) ? 6 : 4;
    memset(note->local_address, 0, sizeof(note->local_address));
    memset(note->peer_address, 0, sizeof(note->peer_address));
    memcpy(note->local_address, local, note->family == 6 ? 16 : 4);
    memcpy(note->peer_address, remote, note->family == 6 ? 16 : 4);
}

static struct flight_tcp *begin(struct flight_ring *ring, enum flight_event event)
{
    struct flight_record *record = flight_begin(ring, FLIGHT_TCP, (uint8_t)event);

    record->captured = sizeof(struct flight_tcp);
    return (struct flight_tcp *)(record + 1);
}

void tcp_flight_note(const struct tcp_pcb *pcb, enum flight_event event, unsigned state_before)
{
    struct flight_ring *ring = INSTANCE(lwip_events).flight;
    struct flight_tcp *note;

    if (INSTANCE(lwip_events).trace != NULL)
        trace_event(INSTANCE(lwip_events).trace, pcb, event, state_before);
    if (ring == NULL)
        return;
    note = begin(ring, event);
    memset(note, 0, sizeof(*note));
    note->state = (uint8_t)pcb->state;
    note->state_before = (uint8_t)state_before;
    note->local_port = pcb->local_port;
    if (pcb->state == LISTEN || state_before == LISTEN) { /* a shorter struct: it has no more than that */
        flight_end(ring);
        return;
    }
    note->retransmits = pcb->nrtx;
    note->peer_port = pcb->remote_port;
    note_addresses(note, &pcb->local_ip, &pcb->remote_ip);
    note->send_next = pcb->snd_nxt;
    note->send_acked = pcb->lastack;
    note->receive_next = pcb->rcv_nxt;
    note->cwnd = pcb->cwnd;
    note->ssthresh = pcb->ssthresh;
    note->send_window = pcb->snd_wnd;
    note->receive_window = pcb->rcv_wnd;
    note->rtt_us = pcb->sa ? (uint32_t)pcb->sa >> 3 : 0;
    note->rto_us = (uint32_t)pcb->rto * 1000;
    flight_end(ring);
}

void tcp_flight_reset_out(const void *local, const void *remote, uint16_t local_port, uint16_t peer_port,
                          uint32_t sequence, uint32_t acknowledged)
{
    struct flight_ring *ring = INSTANCE(lwip_events).flight;
    struct flight_tcp *note;

    if (ring == NULL)
        return;
    note = begin(ring, FLIGHT_EVENT_tcp_resets_out);
    memset(note, 0, sizeof(*note));
    note->local_port = local_port;
    note->peer_port = peer_port;
    note_addresses(note, local, remote);
    note->send_next = sequence;
    note->receive_next = acknowledged;
    flight_end(ring);
}
