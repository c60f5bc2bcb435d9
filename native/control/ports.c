/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "control/address.h"
#include "control/steer.h"

#define BUCKETS 1024u

static struct {
    pthread_mutex_t lock;
    struct list buckets[BUCKETS]; /* by port */
    uint16_t first, last;
} ports = { .lock = PTHREAD_MUTEX_INITIALIZER };

void ports_init(uint16_t ephemeral_first, uint16_t ephemeral_last)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&ports.buckets[i]);
    ports.first = ephemeral_first;
    ports.last = ephemeral_last;
}

static bool addresses_overlap(const struct binding *a, const struct binding *b)
{
    bool any_a = endpoint_is_any(&a->local), any_b = endpoint_is_any(&b->local);

    if (a->local.family != b->local.family)
        /* Families meet only where an IPv6 wildcard takes IPv4 as well. */
        return (a->local.family == AF_INET6 && any_a && a->dual) ||
               (b->local.family == AF_INET6 && any_b && b->dual);
    return any_a || any_b || endpoint_same_address(&a->local, &b->local);
}

/* May `a` be bound, or begin to listen, beside `b`? inet_csk_bind_conflict() of the kernel. */
static bool conflict(const struct binding *a, const struct binding *b)
{
    if (a == b || a->protocol != b->protocol || a->local.port != b->local.port ||
        !addresses_overlap(a, b))
        return false;
    if (a->reuse_port && b->reuse_port)
        return false;
    if (a->reuse_addr && b->reuse_addr)
        return a->protocol == IPPROTO_TCP && b->listening;
    return true;
}

static bool is_taken(const struct binding *b)
{
    struct list *bucket = &ports.buckets[b->local.port % BUCKETS];
    struct binding *other;

    LIST_EACH(other, bucket, link) {
        if (conflict(b, other))
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
    for (uint32_t i = 0; i < range; i++) {
        b->local.port = (uint16_t)(ports.first + (random[0] + (uint64_t)i * step) % range);
        if (comes_home(b, stacks) && !is_taken(b))
            return 0;
    }
    b->local.port = 0;
    return -EADDRINUSE;
}

int ports_bind(struct binding *b)
{
    int error;

    pthread_mutex_lock(&ports.lock);
    if (b->local.port == 0)
        error = pick_port(b);
    else
        error = is_taken(b) ? -EADDRINUSE : 0;
    if (error == 0) {
        list_push_back(&ports.buckets[b->local.port % BUCKETS], &b->link);
        b->bound = true;
    }
    pthread_mutex_unlock(&ports.lock);
    return error;
}

int ports_listen(struct binding *b)
{
    int error = 0;

    pthread_mutex_lock(&ports.lock);
    b->listening = true;
    if (is_taken(b)) {
        b->listening = false;
        error = -EADDRINUSE;
    }
    pthread_mutex_unlock(&ports.lock);
    return error;
}

void ports_reuse(struct binding *b, bool reuse_addr, bool reuse_port)
{
    pthread_mutex_lock(&ports.lock);
    b->reuse_addr = reuse_addr;
    b->reuse_port = reuse_port;
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
    if (b->bound) {
        list_remove(&b->link);
        if (b->protocol == IPPROTO_TCP)
            steer_release(b->local.port);
    }
    b->bound = false;
    b->listening = false;
    pthread_mutex_unlock(&ports.lock);
}
