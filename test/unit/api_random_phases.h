/* SPDX-License-Identifier: Apache-2.0 */
/* Part of api_random.c: the wild phase, the quiet phase, and the balance at the end. */
#ifndef TEST_UNIT_API_RANDOM_PHASES_H
#define TEST_UNIT_API_RANDOM_PHASES_H

#include <rte_mempool.h>

struct worker {
    pthread_t thread;
    unsigned index;
    struct dice dice;
    uint8_t *buffer;
};

/* ---- wild ---- */

static void look(struct dice *d)
{
    struct pollfd fds[17];
    struct epoll_event events[8];
    int count = 0, fd;

    for (int i = 0; i < 16; i++) {
        struct end *e = &ends[dice_roll(d, ENDS)];

        if (atomic_load(&e->state) == END_OPEN)
            fds[count++] = (struct pollfd){ .fd = e->fd, .events = (short)dice_roll(d, 8) };
    }
    fds[count++] = (struct pollfd){ .fd = listeners[dice_roll(d, LISTENERS)], .events = POLLIN };
    fd = fds[0].fd;
    switch (dice_roll(d, 4)) {
    case 0:
        EXPECT(ph_poll(fds, (nfds_t)count, (int)dice_roll(d, 3)) >= 0 || errno == EINTR, "poll: %s",
               strerror(errno));
        break;
    case 1:
        EXPECT(ph_epoll_wait(shared_epoll, events, 8, (int)dice_roll(d, 3)) >= 0, "epoll_wait: %s",
               strerror(errno));
        break;
    default:
        /* The descriptor may be closed, watched or not: any answer is right that does no harm. */
        events[0].events = (dice_roll(d, 2) ? EPOLLIN : EPOLLIN | EPOLLOUT) | (dice_roll(d, 2) ? EPOLLET : 0) |
                           (dice_roll(d, 4) ? 0 : EPOLLONESHOT);
        events[0].data.u64 = (uint64_t)fd;
        ph_epoll_ctl(shared_epoll, 1 + (int)dice_roll(d, 3), fd, &events[0]);
    }
}

static void ask(struct dice *d, int fd)
{
    struct tcp_info info;
    struct sockaddr_storage name;
    socklen_t length = sizeof(info);
    int value = 2048 << dice_roll(d, 9);

    switch (dice_roll(d, 6)) {
    case 0:
        ph_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
        break;
    case 1:
        ph_ioctl(fd, dice_roll(d, 2) ? FIONREAD : TIOCOUTQ, &value);
        break;
    case 2:
        length = sizeof(name);
        ph_getpeername(fd, (void *)&name, &length);
        break;
    case 3:
        ph_setsockopt(fd, SOL_SOCKET, dice_roll(d, 2) ? SO_RCVBUF : SO_SNDBUF, &value, sizeof(value));
        break;
    case 4:
        value = (int)dice_roll(d, 2);
        ph_setsockopt(fd, IPPROTO_TCP, dice_roll(d, 2) ? TCP_NODELAY : TCP_CORK, &value, sizeof(value));
        break;
    default:
        length = sizeof(name);
        ph_getsockname(fd, (void *)&name, &length);
    }
}

static void end_turn(struct end *e, struct worker *w)
{
    struct dice *d = &w->dice;
    uint32_t action = dice_roll(d, 100);

    if (action < 45 && pthread_mutex_trylock(&e->rx) == 0) {
        if (atomic_load(&e->state) == END_OPEN)
            end_recv(e, d, w->buffer, dice_length(d, BUFFER));
        pthread_mutex_unlock(&e->rx);
    } else if (action < 88 && pthread_mutex_trylock(&e->tx) == 0) {
        if (atomic_load(&e->state) == END_OPEN) {
            end_send(e, d, w->buffer, dice_length(d, BUFFER));
            if (!e->tx_over && (e->sent == e->goal || dice_roll(d, 100) == 0))
                end_shutdown(e);
        }
        pthread_mutex_unlock(&e->tx);
    } else if (action < 92) {
        if (atomic_load(&e->state) == END_OPEN)
            ask(d, e->fd);
    } else if (pthread_mutex_trylock(&e->rx) == 0) {
        if (pthread_mutex_trylock(&e->tx) == 0) {
            struct linger linger = { 1, (int)dice_roll(d, 2) };
            bool done = e->tx_over && e->rx_over;

            /* Breaking off needs a connection whose number is known, so that the other side knows. */
            if (atomic_load(&e->state) == END_OPEN &&
                (done || (e->id != UNKNOWN && dice_roll(d, 30) == 0))) {
                if (!done && dice_roll(d, 2)) {
                    end_break(e);
                    ph_setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
                }
                end_close(e);
            }
            pthread_mutex_unlock(&e->tx);
        }
        pthread_mutex_unlock(&e->rx);
    }
}

static void *wild(void *argument)
{
    struct worker *w = argument;
    struct dice *d = &w->dice;

    for (uint64_t i = 0; i < steps && !atomic_load(&failed); i++) {
        uint32_t action = dice_roll(d, 32);

        if (action == 0)
            dial(d);
        else if (action < 3)
            pick_up(d, listeners[dice_roll(d, LISTENERS)]);
        else if (action < 5)
            look(d);
        else if (action < 7)
            datagram_turn(d, w->buffer);
        else
            end_turn(&ends[dice_roll(d, ENDS)], w);
    }
    return NULL;
}

/* ---- quiet: each end has one thread, which acts on events only ---- */

static void quiet_end(struct end *e, struct worker *w, uint32_t events)
{
    ssize_t got = 1;
    bool first = true;

    while (!e->rx_over && (got = end_recv(e, &w->dice, w->buffer, BUFFER)) >= 0 && !atomic_load(&failed)) {
        first = false;
        if (!e->edge)
            break;
    }
    if (first && got < 0 && !e->edge && events == EPOLLIN)
        atomic_fetch_add(&spurious, 1);
    while (!e->tx_over && e->id != UNKNOWN && e->sent < e->goal &&
           end_send(e, &w->dice, w->buffer, BUFFER) > 0) {
        if (!e->edge)
            break;
    }
    if (!e->tx_over && e->id != UNKNOWN && e->sent >= e->goal)
        end_shutdown(e);
}

static void quiet_watch(int ep, struct end *e, unsigned index, int op)
{
    struct epoll_event event = { .data.u64 = index };

    event.events = EPOLLIN | (e->edge ? EPOLLET | EPOLLRDHUP : 0);
    if (e->edge || (!e->tx_over && e->id != UNKNOWN))
        event.events |= EPOLLOUT;
    EXPECT(ph_epoll_ctl(ep, op, e->fd, &event) == 0, "epoll_ctl %d: %s", op, strerror(errno));
}

/* All open ends of this thread into its epoll; how many there are. */
static unsigned quiet_adopt(struct worker *w, int ep)
{
    unsigned open = 0;

    for (unsigned i = w->index; i < ENDS; i += THREADS) {
        struct end *e = &ends[i];

        if (atomic_load(&e->state) != END_OPEN)
            continue;
        open++;
        if (!e->watched) {
            e->edge = dice_roll(&w->dice, 2);
            e->watched = true;
            quiet_watch(ep, e, i, EPOLL_CTL_ADD);
        }
    }
    return open;
}

static void describe_stuck(void)
{
    char text[400] = "";

    for (unsigned i = 0, shown = 0; i < ENDS && shown < 4; i++) {
        struct end *e = &ends[i];
        struct pollfd p = { .fd = e->fd, .events = POLLIN | POLLOUT };
        struct tcp_info info = { 0 };
        socklen_t length = sizeof(info);
        int queued = -1;

        if (atomic_load(&e->state) != END_OPEN)
            continue;
        ph_poll(&p, 1, 0);
        ph_ioctl(e->fd, TIOCOUTQ, &queued);
        ph_getsockopt(e->fd, IPPROTO_TCP, TCP_INFO, &info, &length);
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "; %s %ld sent %lu of %lu%s, received %lu%s, poll %x, outq %d, tcp state %d", e->is_server
                 ? "server" : "client", (long)e->id, e->sent, e->goal, e->tx_over ? " over" : "",
                 e->received, e->rx_over ? " over" : "", p.revents, queued, info.tcpi_state);
        shown++;
    }
    blame("nothing moves%s", text);
}

static _Atomic unsigned open_of[THREADS];

static void *quiet(void *argument)
{
    struct worker *w = argument;
    int ep = ph_epoll_create1(0);
    uint64_t last = 0;
    time_t since = time(NULL);

    for (unsigned i = w->index; i < LISTENERS; i += THREADS) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = ENDS + i };

        EXPECT(ph_epoll_ctl(ep, EPOLL_CTL_ADD, listeners[i], &event) == 0, "epoll_ctl");
    }
    for (;;) {
        struct epoll_event events[16];
        int count = ph_epoll_wait(ep, events, 16, 50);
        unsigned open, all = 0;

        EXPECT(count >= 0, "epoll_wait: %s", strerror(errno));
        for (int i = 0; i < count; i++) {
            unsigned index = (unsigned)events[i].data.u64;
            struct end *e;

            if (index >= ENDS) {
                pick_up(&w->dice, listeners[index - ENDS]);
                continue;
            }
            e = &ends[index];
            quiet_end(e, w, events[i].events);
            if (e->rx_over && e->tx_over) {
                pthread_mutex_lock(&e->rx);
                pthread_mutex_lock(&e->tx);
                end_close(e);
                end_release(e);
            } else if (!e->edge) {
                quiet_watch(ep, e, index, EPOLL_CTL_MOD);
            }
        }
        open = quiet_adopt(w, ep);
        atomic_store(&open_of[w->index], open);
        for (int i = 0; i < THREADS; i++)
            all += atomic_load(&open_of[i]);
        if (all == 0 || atomic_load(&failed))
            break;
        if (atomic_load(&progress) != last) {
            last = atomic_load(&progress);
            since = time(NULL);
        }
        if (time(NULL) - since > STALL_S)
            describe_stuck();
    }
    EXPECT(ph_close(ep) == 0, "close: %s", strerror(errno));
    return NULL;
}

/* ---- the test ---- */

static void in_threads(void *(*run)(void *), uint64_t round)
{
    struct worker workers[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .index = i, .dice = { mix64(seed * 1000 + round * 10 + i) },
                                      .buffer = malloc(BUFFER + 64) };
        pthread_create(&workers[i].thread, NULL, run, &workers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        free(workers[i].buffer);
    }
}

/* What is not in its pool. */
struct balance {
    unsigned packets, chunks;
};

static struct balance balance_now(void)
{
    struct balance now = { 0, 0 };

    for (unsigned i = 0; i < group.count; i++) {
        char name[32];

        snprintf(name, sizeof(name), "packets-%u", i);
        now.packets += rte_mempool_in_use_count(rte_mempool_lookup(name));
        now.chunks += group.stacks[i]->chunks->count - (unsigned)chunk_pool_free_count(group.stacks[i]->chunks);
    }
    return now;
}

START_TEST(every_byte_arrives_and_every_buffer_comes_home)
{
    struct balance out;

    for (int i = 0; i < LISTENERS; i++) {
        struct sockaddr_storage name;
        int family = strchr(addresses[i], ':') ? AF_INET6 : AF_INET;

        listeners[i] = ph_socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        ck_assert_int_eq(ph_bind(listeners[i], (void *)&name, name_of(&name, addresses[i], 7000)), 0);
        ck_assert_int_eq(ph_listen(listeners[i], 16), 0);
    }
    for (int i = 0; i < DATAGRAM_SOCKETS; i++) {
        pthread_mutex_init(&datagram_locks[i], NULL);
        datagram_fds[i] = datagram_open(i);
    }
    shared_epoll = ph_epoll_create1(0);
    for (uint64_t round = 0; round < ROUNDS && !failed; round++) {
        in_threads(wild, 2 * round);
        for (int i = 0; i < THREADS; i++)
            atomic_store(&open_of[i], 1); /* until it says otherwise */
        if (!failed)
            in_threads(quiet, 2 * round + 1);
    }
    fprintf(stderr, "# seed %lu: %lu connections, %lu in order, %lu broken off, %lu bytes, %lu datagrams, "
            "%lu spurious events\n", seed, next_id, counted[0], counted[1], counted[2], counted[3], spurious);
    ck_assert_msg(!failed, "seed %lu: %s", seed, failure);
    ck_assert_uint_le(spurious, 100);
    ck_assert_int_eq(ph_close(shared_epoll), 0);
    for (int i = 0; i < LISTENERS; i++)
        ck_assert_int_eq(ph_close(listeners[i]), 0);
    for (int i = 0; i < DATAGRAM_SOCKETS; i++)
        ck_assert_int_eq(ph_close(datagram_fds[i]), 0);
    for (int i = 0; i < 100; i++) {
        out = balance_now();
        if (out.packets == 0 && out.chunks == 0)
            break;
        ph_turn();
        usleep(50000);
    }
    ck_assert_uint_eq(out.packets, 0);
    ck_assert_uint_eq(out.chunks, 0);
}
END_TEST

#endif
