/* SPDX-License-Identifier: Apache-2.0 */
/* The chunk pool: every chunk once, references counted, all home at the end, from any thread. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "platform/arena.h"
#include "platform/chunk.h"
#include "platform/core.h"
#include "platform/eal.h"

#define RUN_NOFORK
#include "main.h"

#define CHUNKS 1000

static void setup(void)
{
    struct eal_settings settings = {.name = "test", .hugepages = EAL_HUGEPAGES_OFF, .memory_mib = 64};
    char err[1024] = "";

    if (!eal_is_running())
        ck_assert_msg(eal_start(&settings, err, sizeof(err)) == 0, "%s", err);
}

START_TEST(all_chunks_once_and_back)
{
    unsigned lcore;
    struct chunk_pool *pool;
    struct chunk_cache cache = {NULL, 0};
    static struct chunk *taken[CHUNKS];

    ck_assert_int_eq(core_claim(&lcore), 0);
    pool = chunk_pool_create(CHUNKS, ARENA_ANY_NODE, lcore);
    ck_assert_ptr_nonnull(pool);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CHUNKS; i++) {
            taken[i] = chunk_alloc(pool, &cache);
            ck_assert_ptr_nonnull(taken[i]);
            ck_assert_ptr_eq(chunk_of(taken[i]->data + CHUNK_DATA_BYTES - 1), taken[i]);
            ck_assert(chunk_pool_has(pool, taken[i]->data));
            memset(taken[i]->data, 0x5a, CHUNK_DATA_BYTES);
        }
        ck_assert_ptr_null(chunk_alloc(pool, &cache));
        ck_assert_uint_eq(chunk_pool_free_count(pool), 0);
        for (int i = 0; i < CHUNKS; i++) {
            chunk_hold(taken[i]);
            chunk_put(taken[i]);
            /* Odd rounds: freed by the stack, through its home list. */
            unsigned previous = core_enter(round & 1 ? lcore : rte_lcore_id());
            chunk_put(taken[i]);
            core_leave(previous);
        }
        ck_assert_uint_eq(chunk_pool_free_count(pool), CHUNKS);
        chunk_pool_settle(pool);
        ck_assert_uint_eq(chunk_pool_free_count(pool), CHUNKS);
    }
    ck_assert(!chunk_pool_has(pool, &cache));
    ck_assert(!chunk_pool_has(pool, pool->base - 1));
    ck_assert(!chunk_pool_has(pool, pool->base + (size_t)CHUNKS * CHUNK_BYTES));
    chunk_pool_destroy(pool);
    core_release(lcore);
}
END_TEST

static struct chunk_pool *shared;

/* Allocates, marks, checks and frees; a chunk handed out twice loses its mark. */
static void *churn(void *argument)
{
    struct chunk_cache cache = {NULL, 0};
    struct chunk *held[16];

    for (int round = 0; round < 3000; round++) {
        unsigned count = 0;

        while (count < 16 && (held[count] = chunk_alloc(shared, &cache)) != NULL) {
            memcpy(held[count]->data, &argument, sizeof(argument));
            count++;
        }
        for (unsigned i = 0; i < count; i++) {
            ck_assert_int_eq(memcmp(held[i]->data, &argument, sizeof(argument)), 0);
            chunk_put(held[i]);
        }
    }
    chunk_cache_flush(shared, &cache);
    return NULL;
}

START_TEST(many_threads)
{
    pthread_t threads[4];
    unsigned lcore;

    ck_assert_int_eq(core_claim(&lcore), 0);
    shared = chunk_pool_create(100, ARENA_ANY_NODE, lcore);
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(chunk_pool_free_count(shared), 100);
    chunk_pool_destroy(shared);
    core_release(lcore);
}
END_TEST

/* An mbuf that carries a piece of a chunk holds a reference and drops it when it is freed. */
START_TEST(mbuf_reference)
{
    struct rte_mempool *packets = rte_pktmbuf_pool_create("mbufs", 63, 0, 64, 256, SOCKET_ID_ANY);
    struct chunk_pool *pool = chunk_pool_create(8, ARENA_ANY_NODE, 1);
    struct chunk_cache cache = {NULL, 0};
    struct chunk *chunk = chunk_alloc(pool, &cache);
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(packets);

    chunk_hold(chunk);
    rte_pktmbuf_attach_extbuf(mbuf, chunk->data, chunk->iova, CHUNK_DATA_BYTES, &chunk->shinfo);
    chunk_put(chunk);
    chunk_cache_flush(pool, &cache);
    ck_assert_uint_eq(chunk_pool_free_count(pool), 7);
    rte_pktmbuf_free(mbuf);
    ck_assert_uint_eq(chunk_pool_free_count(pool), 8);
    ck_assert_uint_eq(rte_mempool_avail_count(packets), 63);
    chunk_pool_destroy(pool);
    rte_mempool_free(packets);
}
END_TEST

#define MEETINGS 5000
#define HOLDS_MAX 100000000 /* of a thread that meets nobody: some seconds */
static _Atomic unsigned holders;

/* Until both have met often: each finds the other's reference there, and then not, again and again. */
static void *hold_and_put(void *context)
{
    struct chunk *chunk = context;
    unsigned met = 0, alone = 1;

    for (int i = 0; i < HOLDS_MAX && met < MEETINGS; i++) {
        unsigned references;

        chunk_hold(chunk);
        references = rte_mbuf_ext_refcnt_read(&chunk->shinfo);
        chunk_put(chunk);
        met += references > 2 && alone;
        alone = references == 2;
    }
    atomic_fetch_sub(&holders, 1);
    while (atomic_load(&holders) > 0) { /* the other has not met so many yet */
        chunk_hold(chunk);
        chunk_put(chunk);
    }
    return NULL;
}

/* An application's thread reserves room in the chunk that its stack refers to: no reference is lost. */
START_TEST(held_by_two_at_once)
{
    struct chunk_pool *pool = chunk_pool_create(8, ARENA_ANY_NODE, 1);
    struct chunk_cache cache = {NULL, 0};
    struct chunk *chunk = chunk_alloc(pool, &cache);
    pthread_t other;

    atomic_store(&holders, 2);
    pthread_create(&other, NULL, hold_and_put, chunk);
    hold_and_put(chunk);
    pthread_join(other, NULL);
    ck_assert_uint_eq(rte_mbuf_ext_refcnt_read(&chunk->shinfo), 1);
    chunk_put(chunk);
    chunk_cache_flush(pool, &cache);
    ck_assert_uint_eq(chunk_pool_free_count(pool), 8);
    chunk_pool_destroy(pool);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("platform_chunk");
    TCase *tcase = tcase_create("chunk");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, all_chunks_once_and_back);
    tcase_add_test(tcase, many_threads);
    tcase_add_test(tcase, mbuf_reference);
    tcase_add_test(tcase, held_by_two_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
