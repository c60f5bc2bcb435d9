/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network in one thread: two instances of the stack, joined by a link whose faults are scripted,
 * under a clock that jumps from event to event. Everything follows from the seed, so a failure
 * repeats to the packet. An hour of protocol time passes in moments.
 *
 *     sim_open(&sim, seed);
 *     sim.link[SIM_TO_SERVER].loss_ppm = 10000;         // 1 %, in one direction
 *     sim_both(&sim, delay_us, 500);                    // or in both
 *     struct sim_flow *flow = sim_connect(&sim, &(struct sim_plan){.up_bytes = 1 << 20});
 *     sim_run_until(&sim, sim_flow_is_over, flow, 60 * SIM_SECOND);
 *     sim_close(&sim);                                  // fails if anything was not given back
 *
 * A flow is a TCP connection from the client to the server with an application at each end that
 * writes and checks a known byte pattern and closes in the order of its plan.
 */
#ifndef TEST_SIM_H
#define TEST_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "lwip/instance.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"

#define SIM_MS 1000ULL
#define SIM_SECOND 1000000ULL

enum { SIM_CLIENT, SIM_SERVER, SIM_ENDS };
enum { SIM_TO_CLIENT, SIM_TO_SERVER };

/* One direction. The index is the end that receives. */
struct sim_link {
    uint32_t delay_us;
    uint32_t jitter_us;     /* added at random: frames overtake each other */
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t reorder_ppm;   /* these arrive reorder_us later than their turn */
    uint32_t reorder_us;
    uint32_t corrupt_ppm;   /* one bit flips; the checksum must find it */
    uint64_t rate_bps;      /* 0: no limit */
    uint32_t queue_bytes;   /* with a rate: what waits beyond this is dropped; 0: no limit */
    bool cut;               /* nothing passes */
    uint32_t scarce_ppm;    /* the device takes no frame: its memory is short, or it is full */
    /* true: this frame is lost. `frame` begins with the Ethernet header. */
    bool (*filter)(struct sim_link *link, const uint8_t *frame, size_t bytes);
    void *filter_context;

    struct list frames;     /* on their way, by arrival */
    uint64_t busy_until_ns; /* when the last frame has left the sender */
    uint64_t sent, lost, dropped, delivered, bytes;
};

/* A machine that has been up for days: a time that was never taken must not look like a recent one. */
#define SIM_START (40 * 3600 * SIM_SECOND)

struct sim_end {
    struct sim *sim;
    struct instance *instance;
    struct netif netif;
    size_t pages_held;
    uint64_t timer_us; /* when its timers want to run */
};

struct sim {
    uint64_t now_us;
    uint64_t random;
    bool ipv6;
    uint32_t scarce_ppm;    /* a page of memory, beyond those that the ends have, is refused */
    uint64_t pages_refused; /* because of that */
    uint32_t pace_us; /* applications look after their flows so often [1000] */
    struct sim_end end[SIM_ENDS];
    struct sim_link link[SIM_ENDS];
    struct tcp_pcb *listener;
    struct list flows;
    uint64_t next_pace_us;
    struct instance_tcp_settings tcp[SIM_ENDS]; /* set before sim_open() */
};

enum sim_close {
    SIM_CLOSE_AFTER_DATA, /* shut down sending after the last byte, close after the peer's end */
    SIM_CLOSE_NEVER,      /* stays open */
    SIM_CLOSE_ABORT,      /* reset after the last byte is acknowledged */
};

/* What the applications do. */
struct sim_plan {
    uint64_t up_bytes;           /* client to server */
    uint64_t down_bytes;         /* server to client */
    enum sim_close client_close, server_close;
    bool server_waits_for_end;   /* the server sends after the client's FIN: half-close */
    uint32_t server_reads_after_ms; /* the server reads nothing before: the window closes */
    uint32_t server_reads_per_pace; /* bytes, 0: all at once */
    uint32_t write_bytes;        /* size of one write [4096] */
    bool copy;                   /* written by copy, else by reference */
    bool nagle;
    bool unchecked;              /* the bytes may be anything, and so may the end */
    uint32_t send_limit, receive_limit; /* 0: as the instance has it */
    uint32_t keepalive_idle_ms, keepalive_interval_ms, keepalive_count;
};

/* One end of a flow. */
struct sim_app {
    struct sim_flow *flow;
    int end;
    struct tcp_pcb *pcb;       /* NULL: not yet, or gone */
    uint64_t written, acked, received, to_send;
    uint64_t unread;           /* delivered, not yet reported by tcp_recved() */
    bool established, peer_ended, shut, gone;
    err_t error;               /* what the error callback said */
    uint64_t established_us, ended_us, gone_us;
};

struct sim_flow {
    struct list node;
    struct sim *sim;
    struct sim_plan plan;
    struct sim_app app[SIM_ENDS];
    uint64_t began_us;
    uint16_t client_port;
};

void sim_open(struct sim *sim, uint64_t seed);
/* Ends what is left, checks that all memory is back and no frame is lost in the books. */
void sim_close(struct sim *sim);

struct sim_flow *sim_connect(struct sim *sim, const struct sim_plan *plan);

/* Runs until `done` says so or `limit_us` have passed; returns whether it did. */
bool sim_run_until(struct sim *sim, bool (*done)(void *context), void *context, uint64_t limit_us);
void sim_run(struct sim *sim, uint64_t time_us);

bool sim_flow_is_over(void *flow);        /* both ends are gone */
bool sim_flow_is_delivered(void *flow);   /* all bytes are there, both ways */
bool sim_flow_is_established(void *flow); /* at both ends */

uint32_t sim_random(struct sim *sim);
static inline bool sim_chance(struct sim *sim, uint32_t ppm)
{
    return ppm && sim_random(sim) % 1000000 < ppm;
}

/* Gives `field` of both directions the same value. */
#define sim_both(sim, field, value) \
    ((sim)->link[0].field = (value), (sim)->link[1].field = (value))

/* Offset of the TCP header in a frame, 0 if it is none; its flags. */
size_t sim_tcp_header(const uint8_t *frame, size_t bytes);
uint8_t sim_tcp_flags(const uint8_t *frame, size_t bytes);

#endif
