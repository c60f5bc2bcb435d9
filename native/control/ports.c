/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "control/address.h"
#include "control/device.h"
#include "control/lwip_address.h"
#include "control/steer.h"
#include "lwip/demux.h"
#include "lwip/ports.h"
#include "stack/group.h"

#define BUCKETS 1024u

static struct {
    pthread_mutex_t lock;
    struct list buckets[BUCKETS]; /* by port */
    uint16_t first, last;
    uint32_t tcp[65536]; /* how many TCP sockets have bound it; the stacks read */
} ports = { .lock = PTHREAD_MUTEX_INITIALIZER };

void ports_init(uint16_t ephemeral_first, uint16_t ephemeral_last)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&ports.buckets[i]);
    ports.first = ephemeral_first;
    ports.last = ephemeral_last;
}

static const struct endpoint *address_of(const struct binding *b)
{
    return b->narrowed.family ? &b->narrowed : &b->local;
}

static bool addresses_overlap(const struct binding *a, const struct binding *b)
{
    const struct endpoint *at_a = address_of(a), *at_b = address_of(b);
    bool any_a = endpoint_is_any(at_a), any_b = endpoint_is_any(at_b);

    if (at_a->family != at_b->family)
        /* Families meet only where an IPv6 wildcard takes IPv4 as well. */
        return (at_a->family == AF_INET6 && any_a && a->dual) ||
               (at_b->family == AF_INET6 && any_b && b->dual);
    return any_a || any_b || endpoint_same_address(at_a, at_b);
}

/* May `a` be bound, or begin to listen, beside `b`? inet_csk_bind_conflict() of the kernel; it never
 * draws a TCP port that would be shared. */
static bool conflict(const struct binding *a, const struct binding *b, bool drawn)
{
    if (a == b || a->protocol != b->protocol || a->local.port != b->local.port ||
        (a->device && b->device && a->device != b->device) || !addresses_overlap(a, b))
        return false;
    if (drawn && a->protocol == IPPROTO_TCP)
        return true;
    if (a->reuse_port && b->reuse_port)
        return false;
    if (a->reuse_addr && b->reuse_addr)
        return a->protocol == IPPROTO_TCP && b->listening;
    return true;
}

static bool is_taken(const struct binding *b, bool drawn)
{
    struct list *bucket = &ports.buckets[b->local.port % BUCKETS];
    struct binding *other;

    LIST_EACH(other, bucket, link) {
        if (conflict(b, other, drawn))
            return true;
    }
    return false;
}

/* Packets to a port that a stack owns go there: it must have the address, too. */
static bool comes_home(const struct binding *b, uint64_t stacks)
{
    int owner = b->protocol == IPPROTO_TCP ? steer_owner(b->local.port) : -1;

    return owner < 0 || stacks == 0 || (stacks >> owner & 1);
}

/* The stack's thread may change it meanwhile. */
static bool has_pcbs(struct stack *stack, uint16_t port)
{
    unsigned long previous = instance_enter(stack->lwip);
    bool any = ports_users(port) != 0;

    instance_leave(previous);
    return any;
}

static bool has_connections(uint16_t port)
{
    bool any = false;

    for (unsigned i = 0; i < group.count && !any; i++)
        any = has_pcbs(group.stacks[i], port);
    return any;
}

/*
 * Under the lock: a stack's claim to a port for connecting (steer.h) ends with the last socket that has it bound,
 * unless connections that nobody holds any more still send from there or wait for their end. Then whoever binds
 * the port next looks again: until then the claim is in nobody's way.
 */
static void claim_settle(const struct binding *b)
{
    uint16_t port = b->local.port;

    if (b->protocol == IPPROTO_TCP && ports.tcp[port] == 0 && steer_owner(port) >= 0 && !has_connections(port))
        steer_release(port);
}

struct held_call {
    struct rpc rpc;
    const struct binding *binding;
    bool held;
};

static void held_run(struct rpc *rpc)
{
    struct held_call *call = container_of(rpc, struct held_call, rpc);
    const struct binding *b = call->binding;
    ip_addr_t address;

    endpoint_to_ip(&b->local, &address);
    if (b->dual && endpoint_is_any(&b->local))
        ip_addr_copy(address, *IP_ANY_TYPE);
    call->held = demux_port_is_held(&address, b->local.port, device_index(b->device),
                                    (uint8_t)((b->reuse_addr ? DEMUX_SHARES_ADDRESS : 0) |
                                              (b->reuse_port ? DEMUX_SHARES_PORT : 0)));
    rpc_finish(rpc);
}

/*
 * By a connection that connect() gave a port, or that a listener accepted, or by what is left of one. Asked when
 * the table has the port already: connect() draws no more of it.
 */
static bool is_held(const struct binding *b)
{
    struct held_call call = { .binding = b };

    if (b->protocol != IPPROTO_TCP || b->drawn_elsewhere)
        return false;
    for (unsigned i = 0; i < group.count && !call.held; i++) {
        if (!has_pcbs(group.stacks[i], b->local.port))
            continue;
        rpc_init(&call.rpc, held_run);
        stack_call(group.stacks[i], &call.rpc);
    }
    return call.held;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static int pick_port(struct binding *b)
{
    uint32_t range = (uint32_t)ports.last - ports.first + 1, random[2] = { 0 }, step;
    uint64_t stacks = endpoint_is_any(&b->local) ? 0 : address_stacks(&b->local);

    if (getrandom(random, sizeof(random), GRND_NONBLOCK) < 0)
        random[0] = (uint32_t)rand();
    /* Every port once, in steps: going to the next one would often end at the first of a share. */
    for (step = random[1] % range + 1; common_divisor(step, range) > 1; step--)
        ;
    /*
     * One that a connection has, be it in TIME_WAIT, may be refused by connect() towards the same peer. When
     * there is no other it is taken all the same: most peers are others.
     */
    for (int used = 0; used < (b->protocol == IPPROTO_TCP ? 2 : 1); used++) {
        for (uint32_t i = 0; i < range; i++) {
            b->local.port = (uint16_t)(ports.first + (random[0] + (uint64_t)i * step) % range);
            if (comes_home(b, stacks) && !is_taken(b, true) &&
                (used || b->protocol != IPPROTO_TCP || !has_connections(b->local.port)))
                return 0;
        }
    }
    b->local.port = 0;
    return -EADDRINUSE;
}

const uint32_t *ports_bound_tcp(void)
{
    return ports.tcp;
}

/* Under the lock. */
static void count_tcp(const struct binding *b, uint32_t change)
{
    if (b->protocol == IPPROTO_TCP)
        __atomic_store_n(&ports.tcp[b->local.port], ports.tcp[b->local.port] + change, __ATOMIC_RELAXED);
}

/* Under the lock. */
static void enter(struct binding *b)
{
    claim_settle(b);
    list_push_back(&ports.buckets[b->local.port % BUCKETS], &b->link);
    b->bound = true;
    count_tcp(b, 1);
}

static void leave(struct binding *b)
{
    list_remove(&b->link);
    b->bound = false;
    count_tcp(b, -1u);
    claim_settle(b);
}

int ports_bind(struct binding *b)
{
    bool drawn = b->local.port == 0;
    int error;

    pthread_mutex_lock(&ports.lock);
    if (drawn)
        error = pick_port(b);
    else
        error = is_taken(b, false) ? -EADDRINUSE : 0;
    if (error == 0)
        enter(b);
    pthread_mutex_unlock(&ports.lock);
    if (error == 0 && !drawn && is_held(b)) {
        pthread_mutex_lock(&ports.lock);
        leave(b);
        pthread_mutex_unlock(&ports.lock);
        error = -EADDRINUSE;
    }
    return error;
}

int ports_listen(struct binding *b)
{
    bool taken;

    pthread_mutex_lock(&ports.lock);
    b->listening = true;
    taken = is_taken(b, false);
    pthread_mutex_unlock(&ports.lock);
    if (!taken && !is_held(b))
        return 0;
    ports_unlisten(b);
    return -EADDRINUSE;
}

void ports_reuse(struct binding *b, bool reuse_addr, bool reuse_port)
{
    pthread_mutex_lock(&ports.lock);
    b->reuse_addr = reuse_addr;
    b->reuse_port = reuse_port;
    pthread_mutex_unlock(&ports.lock);
}

void ports_bind_device(struct binding *b, uint32_t device)
{
    pthread_mutex_lock(&ports.lock);
    b->device = device;
    pthread_mutex_unlock(&ports.lock);
}

void ports_narrow(struct binding *b, const struct endpoint *address)
{
    pthread_mutex_lock(&ports.lock);
    b->narrowed = address ? *address : (struct endpoint){ 0 };
    pthread_mutex_unlock(&ports.lock);
}

void ports_unlisten(struct binding *b)
{
    pthread_mutex_lock(&ports.lock);
    b->listening = false;
    pthread_mutex_unlock(&ports.lock);
}

void ports_release(struct binding *b)
{
    pthread_mutex_lock(&ports.lock);
    if (b->bound)
        leave(b);
    b->listening = false;
    pthread_mutex_unlock(&ports.lock);
}
