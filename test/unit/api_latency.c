/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distributions of how long data waits, against delays that are known: what was made to wait so long is
 * shown to have waited at least so long. (How much longer is the machine's business.)
 */
#define RUN_NOFORK
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/compiler.h"
#include "main.h"
#include "on_wire.h"
#include "stack/group.h"
#include "stack/stack.h"
#include "stats/segment.h"

#define DELAY_US 30000u
#define MEASURED_EVERY 16 /* writes, if none is on its way */
#define ROOM (1 << 20)

/* What was written and what was acknowledged meets in a turn, or a caretaker's round. */
#define EVENTUALLY(condition)                                      \
    do {                                                           \
        for (int tries_ = 0; tries_ < 2000 && !(condition); tries_++) { \
            ph_turn();                                             \
            usleep(5000);                                          \
        }                                                          \
        ck_assert_msg(condition, "%s", #condition);                \
    } while (0)

/* How many of both stacks' took the delay or longer, to a bucket's width. */
static uint64_t late_of(const struct histogram *a, const struct histogram *b)
{
    uint64_t late = 0;

    for (unsigned i = histogram_bucket(DELAY_US * 1000u); i < HISTOGRAM_BUCKETS; i++)
        late += __atomic_load_n(&a->bucket[i], __ATOMIC_RELAXED) + __atomic_load_n(&b->bucket[i], __ATOMIC_RELAXED);
    return late;
}

#define COUNT(name) (histogram_count(&segment_stack(0)->name) + histogram_count(&segment_stack(1)->name))
#define LATE(name) late_of(&segment_stack(0)->name, &segment_stack(1)->name)

/* `server` on 10.0.0.1 (stack 0), `client` on 10.0.0.2 (stack 1). */
struct pair {
    int client, server;
};

static struct pair pair_of(int type, int port, int room)
{
    struct sockaddr_in to = address("10.0.0.1", port);
    struct pair p = { .client = bound(type, "10.0.0.2", 0), .server = bound(type, "10.0.0.1", port) };
    int listener = p.server;

    ck_assert_int_eq(ph_setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
    if (type == SOCK_STREAM)
        ck_assert_int_eq(ph_listen(listener, 4), 0);
    ck_assert_msg(ph_connect(p.client, (void *)&to, sizeof(to)) == 0, "connect: %s", strerror(errno));
    if (type == SOCK_STREAM) {
        p.server = ph_accept(listener, NULL, NULL);
        ck_assert_int_ge(p.server, 0);
        ck_assert_int_eq(ph_close(listener), 0);
    }
    return p;
}

static void part(struct pair p)
{
    ck_assert_int_eq(ph_close(p.client), 0);
    ck_assert_int_eq(ph_close(p.server), 0);
}

/* ---- write to device --------------------------------------------------------------------------- */

/* A call that keeps the stack from anything else until it is told to end. */
struct hold {
    struct rpc rpc;
    struct stack *stack;
    _Atomic bool held, end;
    pthread_t thread;
};

static void hold_run(struct rpc *rpc)
{
    struct hold *hold = container_of(rpc, struct hold, rpc);

    atomic_store(&hold->held, true);
    while (!atomic_load(&hold->end))
        usleep(1000);
    rpc_finish(rpc);
}

static void *hold_thread(void *argument)
{
    struct hold *hold = argument;

    rpc_init(&hold->rpc, hold_run);
    stack_call(hold->stack, &hold->rpc);
    return NULL;
}

static void write_to_a_stack_that_hangs(int type, int port)
{
    struct hold hold = { .stack = group.stacks[1] };
    struct pair p = pair_of(type, port, ROOM);
    uint64_t count = COUNT(tx_wait_ns), late = LATE(tx_wait_ns);
    char data[64] = "";

    ck_assert_int_eq(pthread_create(&hold.thread, NULL, hold_thread, &hold), 0);
    while (!atomic_load(&hold.held))
        usleep(1000);
    ck_assert_int_eq(ph_send(p.client, data, sizeof(data), MSG_DONTWAIT), sizeof(data));
    usleep(DELAY_US);
    ck_assert_uint_eq(COUNT(tx_wait_ns), count);
    atomic_store(&hold.end, true);
    ck_assert_int_eq(pthread_join(hold.thread, NULL), 0);
    ck_assert_int_eq(ph_recv(p.server, data, sizeof(data), 0), sizeof(data));
    EVENTUALLY(COUNT(tx_wait_ns) == count + 1);
    ck_assert_uint_eq(LATE(tx_wait_ns), late + 1);
    part(p);
}

START_TEST(a_write_waits_for_a_stack_that_hangs)
{
    write_to_a_stack_that_hangs(SOCK_STREAM, 5401);
    write_to_a_stack_that_hangs(SOCK_DGRAM, 5402);
}
END_TEST

START_TEST(a_write_waits_for_more)
{
    struct pair p = pair_of(SOCK_STREAM, 5403, ROOM);
    uint64_t count = COUNT(tx_wait_ns), late = LATE(tx_wait_ns);
    char data[8] = "";

    ck_assert_int_eq(ph_send(p.client, data, 4, MSG_MORE), 4);
    usleep(DELAY_US);
    ck_assert_int_eq(ph_send(p.client, data, 4, 0), 4);
    ck_assert_int_eq(ph_recv(p.server, data, sizeof(data), MSG_WAITALL), sizeof(data));
    EVENTUALLY(COUNT(tx_wait_ns) == count + 1);
    ck_assert_uint_eq(LATE(tx_wait_ns), late + 1);
    part(p);
}
END_TEST

/* Nobody writes again: the acknowledgement that lets the data out is what there is to notice it by. */
START_TEST(a_write_waits_for_a_closed_window)
{
    static char data[1 << 16];
    struct pair p = pair_of(SOCK_STREAM, 5404, 8192);
    uint64_t count = COUNT(tx_wait_ns), late;
    size_t got = 0, given = sizeof(data);

    /* More than the window. Its first byte leaves at once and is measured; then it is another write's turn. */
    ck_assert_int_eq(ph_send(p.client, data, sizeof(data), MSG_DONTWAIT), sizeof(data));
    EVENTUALLY(COUNT(tx_wait_ns) > count);
    late = LATE(tx_wait_ns);
    for (int i = 0; i < MEASURED_EVERY; i++, given += 100)
        ck_assert_int_eq(ph_send(p.client, data, 100, MSG_DONTWAIT), 100);
    usleep(DELAY_US);
    while (got < given) {
        ssize_t n = ph_recv(p.server, data, sizeof(data), 0);

        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
    EVENTUALLY(LATE(tx_wait_ns) > late);
    part(p);
}
END_TEST

/* What the end of its connection kept from leaving was not sent late, but never. */
START_TEST(what_never_left_is_not_measured)
{
    struct pair p = pair_of(SOCK_STREAM, 5405, ROOM);
    struct sockaddr_in nobody = { .sin_family = AF_UNSPEC }, to = address("10.0.0.1", 5406);
    char data[8] = "";
    uint64_t count;
    int listener;

    count = COUNT(tx_wait_ns);
    ck_assert_int_eq(ph_send(p.client, data, 4, MSG_MORE), 4);
    ck_assert_int_eq(ph_connect(p.client, (void *)&nobody, sizeof(nobody)), 0);
    listener = bound(SOCK_STREAM, "10.0.0.1", 5406);
    ck_assert_int_eq(ph_listen(listener, 1), 0);
    ck_assert_msg(ph_connect(p.client, (void *)&to, sizeof(to)) == 0, "again: %s", strerror(errno));
    ck_assert_int_eq(ph_send(p.client, data, 4, 0), 4);
    ck_assert_int_eq(ph_close(p.server), 0);
    p.server = ph_accept(listener, NULL, NULL);
    ck_assert_int_eq(ph_recv(p.server, data, 4, MSG_WAITALL), 4);
    ck_assert_uint_eq(COUNT(tx_wait_ns), count);
    ck_assert_int_eq(ph_close(listener), 0);
    part(p);
}
END_TEST

/* ---- device to read ---------------------------------------------------------------------------- */

static void read_late(int type, int port)
{
    struct pair p = pair_of(type, port, ROOM);
    uint64_t count = COUNT(rx_wait_ns), late = LATE(rx_wait_ns);
    char data[64] = "";

    ck_assert_int_eq(ph_send(p.client, data, sizeof(data), 0), sizeof(data));
    ck_assert_int_eq(ph_recv(p.server, data, 1, MSG_PEEK), 1); /* it is here */
    usleep(DELAY_US);
    ck_assert_int_eq(ph_recv(p.server, data, sizeof(data), 0), sizeof(data));
    EVENTUALLY(COUNT(rx_wait_ns) == count + 1);
    ck_assert_uint_eq(LATE(rx_wait_ns), late + 1);
    part(p);
}

START_TEST(what_came_waits_for_its_reader)
{
    read_late(SOCK_STREAM, 5407);
    read_late(SOCK_DGRAM, 5408);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("api_latency");
    TCase *t = tcase_create("known delays");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, start_on_wire, ph_stop);
    tcase_add_test(t, a_write_waits_for_a_stack_that_hangs);
    tcase_add_test(t, a_write_waits_for_more);
    tcase_add_test(t, a_write_waits_for_a_closed_window);
    tcase_add_test(t, what_never_left_is_not_measured);
    tcase_add_test(t, what_came_waits_for_its_reader);
    suite_add_tcase(s, t);
    return s;
}
