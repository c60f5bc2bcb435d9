/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/latency.h"

#include <string.h>

#include "base/clock.h"
#include "socket/socket.h"
#include "stats/segment.h"

enum set_state { SET_FREE, SET_HELD, SET_ENDED };

_Atomic unsigned latency_chosen;

/* `sock` and `stack` are the stack's while it holds the set. */
static struct {
    _Atomic enum set_state state;
    struct socket *_Atomic sock;
    struct stack *_Atomic stack;
} sets[SEGMENT_CHOSEN_MAX];

static int next; /* sets are used again as late as possible: a reader may still be adding to one */

/* Who it is, as the row says it, or nobody. */
static void name(struct stats_chosen *set, const struct stats_socket *row)
{
    struct stats_socket *copy = &set->socket;

    stats_socket_begin(copy);
    if (row)
        memcpy(&copy->id, &row->id, sizeof(*row) - offsetof(struct stats_socket, id));
    else
        copy->id = 0;
    stats_socket_end(copy);
}

int latency_reserve(void)
{
    for (enum set_state wanted = SET_FREE; wanted <= SET_ENDED; wanted += SET_ENDED - SET_FREE) {
        for (int i = 0; i < SEGMENT_CHOSEN_MAX; i++) {
            int set = (next + i) % SEGMENT_CHOSEN_MAX;

            if (atomic_load(&sets[set].state) != wanted || segment_chosen((unsigned)set) == NULL)
                continue;
            next = (set + 1) % SEGMENT_CHOSEN_MAX;
            name(segment_chosen((unsigned)set), NULL);
            atomic_store(&sets[set].state, SET_HELD);
            return set;
        }
    }
    return -1;
}

void latency_unreserve(int set)
{
    atomic_store(&sets[set].state, SET_FREE);
}

void latency_forget_ended(uint64_t id)
{
    for (int i = 0; i < SEGMENT_CHOSEN_MAX; i++) {
        if (atomic_load(&sets[i].state) != SET_ENDED || (id != 0 && id != segment_chosen((unsigned)i)->socket.id))
            continue;
        name(segment_chosen((unsigned)i), NULL);
        atomic_store(&sets[i].state, SET_FREE);
    }
}

static void clear(struct stats_chosen *set)
{
    memset(&set->socket + 1, 0, sizeof(*set) - sizeof(set->socket));
}

bool latency_choose(struct socket *sock, struct stack *stack, int set, uint64_t id)
{
    struct stats_chosen *chosen = atomic_load_explicit(&sock->chosen, memory_order_relaxed);
    bool is_it = socket_stack(sock) == stack && sock->row != NULL && sock->row->id == id;

    if (!is_it || chosen != NULL) {
        if (is_it)
            clear(chosen);
        latency_unreserve(set);
        return is_it;
    }
    chosen = segment_chosen((unsigned)set);
    clear(chosen);
    name(chosen, sock->row);
    sets[set].sock = sock;
    sets[set].stack = stack;
    recv_queue_choose(&sock->rx, &chosen->rx_wait_ns);
    send_queue_choose(&sock->tx, &chosen->tx_wait_ns);
    atomic_store_explicit(&sock->chosen, chosen, memory_order_release);
    atomic_fetch_add(&latency_chosen, 1);
    return true;
}

static void unhook(int set)
{
    struct socket *sock = sets[set].sock;

    sets[set].sock = NULL;
    atomic_store_explicit(&sock->chosen, NULL, memory_order_release);
    recv_queue_choose(&sock->rx, NULL);
    send_queue_choose(&sock->tx, NULL);
    atomic_fetch_sub(&latency_chosen, 1);
}

void latency_release(struct stack *stack, uint64_t id)
{
    for (int i = 0; i < SEGMENT_CHOSEN_MAX; i++) {
        if (atomic_load(&sets[i].state) != SET_HELD || sets[i].stack != stack || sets[i].sock == NULL ||
            (id != 0 && id != segment_chosen((unsigned)i)->socket.id))
            continue;
        unhook(i);
        name(segment_chosen((unsigned)i), NULL);
        atomic_store(&sets[i].state, SET_FREE);
    }
}

void latency_end(struct socket *sock)
{
    for (int i = 0; i < SEGMENT_CHOSEN_MAX; i++) {
        if (sets[i].sock != sock || atomic_load(&sets[i].state) != SET_HELD)
            continue;
        unhook(i);
        if (sock->row)
            name(segment_chosen((unsigned)i), sock->row);
        atomic_store(&sets[i].state, SET_ENDED);
    }
}

/* What this thread's callback measures. It may close its socket, or call for other sockets' callbacks. */
static __thread struct {
    struct stats_chosen *set;
    uint64_t id, begun_ns;
} callback;

uint64_t latency_callback_begin(struct socket *sock)
{
    struct stats_chosen *chosen = atomic_load_explicit(&sock->chosen, memory_order_acquire);
    const struct arrival *a;
    const struct pbuf *piece;
    uint64_t came_ns, now_ns;
    uint32_t offset;

    if (LIKELY(chosen == NULL))
        return 0;
    lock_take(&sock->rx.reader);
    a = recv_queue_next(&sock->rx, &piece, &offset);
    came_ns = a ? a->time_ns : 0;
    lock_give(&sock->rx.reader);
    if (came_ns == 0) /* it is called for something else */
        return 0;
    now_ns = clock_now_ns();
    histogram_add(&chosen->callback_wait_ns, now_ns - came_ns);
    callback.set = chosen;
    callback.id = chosen->socket.id;
    callback.begun_ns = now_ns;
    return now_ns;
}

void latency_callback_end(struct socket *sock, uint64_t begun_ns)
{
    struct stats_chosen *chosen = sock ? atomic_load_explicit(&sock->chosen, memory_order_acquire) : NULL;

    if (begun_ns == 0)
        return;
    if (callback.begun_ns == begun_ns)
        chosen = callback.set->socket.id == callback.id ? callback.set : NULL; /* else it was released */
    if (chosen != NULL)
        histogram_add(&chosen->callback_ns, clock_now_ns() - begun_ns);
}
