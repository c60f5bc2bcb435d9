/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One private lwIP per stack.
 *
 * lwIP keeps its state in global variables. Here they all lie in one linker section, the template;
 * an instance is a copy of it, reached through the thread-local lwip_delta (instance_var.h). Any
 * number of instances exist side by side, any thread may drive one, but only one thread at a time.
 *
 * How the layers above use it:
 *
 *     struct instance *instance;
 *     instance_create(&instance, &settings);
 *
 *     unsigned long outside = instance_enter(instance);    // a turn begins
 *     instance_clock(instance, clock_now_us());            //   once per turn is enough
 *     ... netif->input(), tcp_write(), udp_sendto(), any call into lwIP ...
 *     uint64_t next_us = instance_timers(instance, clock_now_us());
 *     instance_leave(outside);                             // a turn ends
 *
 *     instance_destroy(instance);
 *
 * Between enter and leave, and only there, may lwIP be called and its objects (PCBs, pbufs, netifs)
 * be touched; that includes pbuf_free() of a packet that came from this instance. A call outside a
 * turn faults at once. Turns of different instances nest (the inner leave restores the outer one).
 * lwIP's callbacks run inside the turn of the call that caused them. The clock is the one that the
 * caller sets: lwIP never reads another, so a test may let it jump.
 */
#ifndef PRONGHORN_LWIP_INSTANCE_H
#define PRONGHORN_LWIP_INSTANCE_H

#include <stddef.h>
#include <stdint.h>

#include "lwip/instance_var.h"

struct instance;
struct paths;

/* What instance memory comes in: pieces of a multiple of this, aligned to it. */
#define INSTANCE_PAGE_BYTES 65536UL

enum tcp_congestion { TCP_CUBIC, TCP_RENO };

/* 0 in any field: the default in brackets. */
struct instance_tcp_settings {
    uint32_t send_buffer_bytes;     /* of a new PCB [262144]; tcp_limits.h moves it later */
    uint32_t receive_buffer_bytes;  /* of a new PCB [262144], at most TCP_LIMIT_MAX_BYTES */
    uint32_t time_wait_ms;          /* [60000] */
    uint16_t local_port_first;      /* ports that connect() chooses from [32768] */
    uint16_t local_port_last;       /* [60999] */
    const uint32_t *bound_ports;    /* by port, how many sockets have bound it: connect() leaves them alone [NULL] */
    uint16_t rto_min_ms;            /* least retransmission time-out [5] */
    uint16_t delayed_ack_ms;        /* how long an ACK may wait for data to ride on [10] */
    uint8_t congestion;             /* enum tcp_congestion, of a new PCB [TCP_CUBIC] */
    uint8_t syn_retries;            /* [6] */
    uint8_t retries;                /* as net.ipv4.tcp_retries2: for about 15 minutes [15] */
};

struct instance_settings {
    /* Both NULL: the C library's heap. page_alloc: `bytes` is a multiple of INSTANCE_PAGE_BYTES, the
     * result is aligned to it, NULL when there is no more. Called inside turns only. */
    void *(*page_alloc)(void *context, size_t bytes);
    void (*page_free)(void *context, void *pages, size_t bytes);
    void *page_context;
    size_t memory_limit_bytes; /* for everything lwIP allocates; 0: no limit */
    uint8_t secret[16];        /* random; keys sequence numbers and ports. All stacks may share it. */
    uint64_t now_us;           /* where its clock starts */
    struct paths *paths;       /* what is learnt of paths; all stacks share it, NULL: nothing is */
    struct instance_tcp_settings tcp;
};

/* 0, or -ENOMEM. */
int instance_create(struct instance **out, const struct instance_settings *settings);

/*
 * Ends what is left (connections are reset, listeners closed, netifs removed, queues dropped) and
 * gives the memory back. Error callbacks of open PCBs run. Every pbuf that the layers above took must
 * have been freed before: in debug builds a slab that is not back is a failed invariant; the number
 * of objects that were never given back is returned.
 */
size_t instance_destroy(struct instance *instance);

/* The distance to an instance's variables: its turn begins when lwip_delta becomes this. */
unsigned long instance_delta(const struct instance *instance);

static inline unsigned long instance_enter_delta(unsigned long delta)
{
    unsigned long previous = lwip_delta;

    lwip_delta = delta;
    return previous;
}

/* Begins a turn; what it returns goes into instance_leave(). */
static inline unsigned long instance_enter(const struct instance *instance)
{
    /* the first word of an instance, see instance.c */
    return instance_enter_delta(*(const unsigned long *)instance);
}

static inline void instance_leave(unsigned long previous)
{
    lwip_delta = previous;
}

/* Sets the instance's time. May run backwards by less than a turn; it is then ignored. */
void instance_clock(struct instance *instance, uint64_t now_us);

/*
 * Sets the time, runs the timers that are due, hands round packets that the instance sent to itself.
 * Returns when the next timer is due (absolute, us), UINT64_MAX if none ever. In or outside a turn.
 */
uint64_t instance_timers(struct instance *instance, uint64_t now_us);

/* In a turn: hands round what the instance sent to itself (loopback, own addresses). How many netifs had some. */
unsigned instance_loopback(void);

/* "2.1.3" */
const char *instance_version(void);

/* In a turn: its time as last set, and the settings it was created with, defaults filled in. */
uint64_t instance_now_us(void);
const struct instance_tcp_settings *instance_tcp_settings(void);
struct paths *instance_paths(void);

#endif
