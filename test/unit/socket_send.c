/* SPDX-License-Identifier: Apache-2.0 */
/* The send queue: bytes in order, chunks home as soon as nobody needs them, whoever copies. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "platform/arena.h"
#include "platform/core.h"
#include "platform/eal.h"
#include "socket/send.h"
#include "socket/thread.h"

#define RUN_NOFORK
#include "main.h"

#define CHUNKS 64
#define LIMIT 65536

static struct chunk_pool *pool;
static struct send_queue queue;

static void setup(void)
{
    struct eal_settings settings = {.name = "test", .hugepages = EAL_HUGEPAGES_OFF, .memory_mib = 64};
    char err[1024] = "";
    unsigned lcore;

    if (!eal_is_running())
        ck_assert_msg(eal_start(&settings, err, sizeof(err)) == 0, "%s", err);
    if (pool == NULL) {
        ck_assert_int_eq(core_claim(&lcore), 0);
        pool = chunk_pool_create(CHUNKS, ARENA_ANY_NODE, lcore);
        ck_assert_ptr_nonnull(pool);
    }
    send_queue_init(&queue, LIMIT);
}

/* Chunks that are neither free nor at hand for this thread. */
static uint32_t chunks_in_use(void)
{
    threads_flush();
    return CHUNKS - chunk_pool_free_count(pool);
}

static void all_home(void)
{
    send_queue_discard(&queue);
    ck_assert_uint_eq(chunks_in_use(), 0);
}

static uint8_t expected_byte(uint64_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static uint64_t put_so_far, got_so_far;

static size_t put(size_t bytes)
{
    static uint8_t buf[LIMIT];
    struct iovec iov = {buf, bytes};
    size_t taken;

    for (size_t i = 0; i < bytes; i++)
        buf[i] = expected_byte(put_so_far + i);
    taken = send_queue_write(&queue, pool, &iov, 1, 0, bytes);
    put_so_far += taken;
    return taken;
}

/* Hands at most `most` bytes over; the number. */
static uint32_t hand_over(uint32_t most, bool copied)
{
    uint32_t bytes;
    const uint8_t *data = send_queue_peek(&queue, &bytes);

    if (data == NULL)
        return 0;
    if (bytes > most)
        bytes = most;
    for (uint32_t i = 0; i < bytes; i++)
        if (data[i] != expected_byte(got_so_far + i))
            ck_abort_msg("byte %llu is not what was written", (unsigned long long)got_so_far + i);
    got_so_far += bytes;
    send_queue_advance(&queue, bytes, copied);
    return bytes;
}

START_TEST(a_copied_write_needs_no_chunk)
{
    put_so_far = got_so_far = 0;
    ck_assert_uint_eq(put(64), 64);
    ck_assert_uint_eq(hand_over(64, true), 64);
    ck_assert_uint_eq(send_queue_bytes(&queue), 64); /* not acknowledged yet */
    ck_assert_uint_eq(chunks_in_use(), 1);
    send_queue_trim(&queue);
    ck_assert_uint_eq(chunks_in_use(), 0);
    /* and the queue goes on with a new one before the acknowledgement */
    ck_assert_uint_eq(put(100), 100);
    ck_assert_uint_eq(hand_over(100, true), 100);
    send_queue_release(&queue, 164);
    ck_assert_uint_eq(send_queue_bytes(&queue), 0);
    all_home();
}
END_TEST

START_TEST(a_write_by_reference_keeps_its_chunk)
{
    put_so_far = got_so_far = 0;
    ck_assert_uint_eq(put(64), 64);
    ck_assert_uint_eq(hand_over(64, false), 64);
    /* What is copied after it cannot go home before it. */
    ck_assert_uint_eq(put(64), 64);
    ck_assert_uint_eq(hand_over(64, true), 64);
    send_queue_trim(&queue);
    ck_assert_uint_eq(chunks_in_use(), 1);
    send_queue_release(&queue, 64);
    send_queue_trim(&queue);
    ck_assert_uint_eq(chunks_in_use(), 1);
    send_queue_release(&queue, 64);
    send_queue_trim(&queue);
    ck_assert_uint_eq(chunks_in_use(), 0);
    all_home();
}
END_TEST

START_TEST(any_mix_keeps_order_and_balance)
{
    uint64_t acknowledged = 0;

    put_so_far = got_so_far = 0;
    srandom(42);
    for (int i = 0; i < 50000; i++) {
        uint64_t out;

        switch (random() % 5) {
        case 0: put((size_t)(random() % 9000)); break;
        case 1: put((size_t)(random() % 200)); break;
        case 2: hand_over(1 + (uint32_t)(random() % 4000), random() & 1); break;
        case 3:
            out = got_so_far - acknowledged;
            out = out ? (uint64_t)random() % (out + 1) : 0;
            send_queue_release(&queue, out);
            acknowledged += out;
            break;
        default: send_queue_trim(&queue);
        }
        ck_assert_uint_eq(send_queue_bytes(&queue), put_so_far - acknowledged);
    }
    while (hand_over(LIMIT, false))
        ;
    ck_assert_uint_eq(got_so_far, put_so_far);
    send_queue_release(&queue, got_so_far - acknowledged);
    send_queue_trim(&queue);
    ck_assert_uint_eq(chunks_in_use(), 0);
    all_home();
}
END_TEST

/* connect() once more after one that was given up with data still waiting. */
START_TEST(after_a_discard_it_begins_anew)
{
    put_so_far = got_so_far = 0;
    ck_assert_uint_eq(put(5000), 5000);
    ck_assert_uint_eq(hand_over(3000, false), 3000);
    send_queue_discard(&queue);
    ck_assert_uint_eq(send_queue_bytes(&queue), 0);
    ck_assert_uint_eq(chunks_in_use(), 0);
    got_so_far = put_so_far;
    ck_assert_uint_eq(put(64), 64);
    ck_assert_uint_eq(hand_over(64, true), 64);
    ck_assert_uint_eq(queue.queued, put_so_far);
    send_queue_trim(&queue); /* what lwIP copied needs no chunk, now as before */
    ck_assert_uint_eq(chunks_in_use(), 0);
    send_queue_release(&queue, 64);
    ck_assert_uint_eq(send_queue_bytes(&queue), 0);
    all_home();
}
END_TEST

/* ---- several threads ----------------------------------------------------------------------------- */

#define WRITES 30000

static _Atomic int writers_left;

static void fill(uint8_t *room, uint32_t bytes)
{
    uint64_t at = atomic_load(&queue.written);

    for (uint32_t i = 0; i < bytes; i++)
        room[i] = expected_byte(at + i);
}

/* Writes now by copy, now in place, with the lock given up between reservation and commit as the calls do. */
static void *write_on(void *seed)
{
    unsigned random = (unsigned)(uintptr_t)seed;
    bool reserves = random == 1;

    for (int i = 0; i < WRITES; i++) {
        uint32_t bytes = 1 + (uint32_t)rand_r(&random) % (rand_r(&random) % 8 ? 100 : SEND_RESERVE_MAX);
        uint8_t buf[SEND_RESERVE_MAX];
        struct iovec iov = {buf, bytes};

        lock_take(&queue.writer);
        if (!reserves) {
            fill(buf, bytes);
            send_queue_write(&queue, pool, &iov, 1, 0, bytes);
        } else if (send_queue_reserve(&queue, pool, bytes)) {
            lock_give(&queue.writer);
            lock_take(&queue.writer);
            fill(queue.reserved->data + queue.reserved_at, bytes);
            if (i % 7 == 0 || !send_queue_commit(&queue, pool, bytes))
                send_queue_unreserve(&queue);
        }
        lock_give(&queue.writer);
    }
    atomic_fetch_sub(&writers_left, 1);
    return NULL;
}

/*
 * Writers and the stack at once, the connection breaking again and again: what the stack is handed is what was
 * written at that place of the stream, and every chunk comes home.
 */
START_TEST(writers_while_connections_break)
{
    unsigned random = 7;
    pthread_t threads[2];
    unsigned previous = core_enter(pool->lcore);
    bool last = false;

    atomic_store(&writers_left, 2);
    for (uintptr_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_on, (void *)(i + 1)), 0);
    while (!last) {
        last = atomic_load(&writers_left) == 0; /* and then once more */
        got_so_far = queue.queued;
        while (hand_over(last ? LIMIT : 1 + (uint32_t)rand_r(&random) % 6000, rand_r(&random) & 1))
            ;
        if (rand_r(&random) % 4) {
            uint64_t out = queue.queued - atomic_load(&queue.released);

            send_queue_release(&queue, last || rand_r(&random) % 3 ? out : (uint64_t)rand_r(&random) % (out + 1));
        }
        if (rand_r(&random) % 8 == 0)
            send_queue_trim(&queue);
        if (rand_r(&random) % 64 == 0)
            send_queue_abandon(&queue);
        chunk_pool_settle(pool);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    core_leave(previous);
    send_queue_unreserve(&queue);
    all_home();
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("socket_send");
    TCase *tcase = tcase_create("send_queue");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_copied_write_needs_no_chunk);
    tcase_add_test(tcase, a_write_by_reference_keeps_its_chunk);
    tcase_add_test(tcase, any_mix_keeps_order_and_balance);
    tcase_add_test(tcase, after_a_discard_it_begins_anew);
    tcase_add_test(tcase, writers_while_connections_break);
    suite_add_tcase(suite, tcase);
    return suite;
}
