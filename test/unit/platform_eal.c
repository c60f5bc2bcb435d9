/* SPDX-License-Identifier: Apache-2.0 */
/* Starting DPDK: affinity kept, memory without hugepages, ids for stacks, no second start. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "platform/arena.h"
#include "platform/core.h"
#include "platform/eal.h"
#include "platform/topology.h"

#define RUN_NOFORK
#include "main.h"

START_TEST(too_many_hugepages_are_refused)
{
    struct eal_settings settings = {.hugepages = EAL_HUGEPAGES_ON, .memory_mib = 1u << 30};
    char err[1024] = "";

    ck_assert_int_eq(eal_start(&settings, err, sizeof(err)), -ENOMEM);
    ck_assert_msg(strstr(err, "memory.hugepages") && strstr(err, "nr_hugepages"), "%s", err);
}
END_TEST

START_TEST(start)
{
    struct eal_settings settings = {.name = "test", .hugepages = EAL_HUGEPAGES_OFF, .memory_mib = 64};
    char err[1024] = "";
    cpu_set_t before, after;
    uint64_t begin = clock_now_us();

    sched_getaffinity(0, sizeof(before), &before);
    ck_assert_msg(eal_start(&settings, err, sizeof(err)) == 0, "%s", err);
    printf("# started in %llu us\n", (unsigned long long)(clock_now_us() - begin));
    sched_getaffinity(0, sizeof(after), &after);
    ck_assert(CPU_EQUAL(&before, &after));
    ck_assert(eal_is_running());
    ck_assert(!eal_has_hugepages());
}
END_TEST

START_TEST(arena)
{
    struct arena_usage before, after;
    void *base;
    size_t bytes;
    uint8_t *memory;

    arena_usage(&before);
    memory = arena_alloc(1 << 20, 4096, 0);
    ck_assert_ptr_nonnull(memory);
    ck_assert_uint_eq((uintptr_t)memory % 4096, 0);
    for (size_t i = 0; i < 1 << 20; i++)
        ck_assert_uint_eq(memory[i], 0);
    arena_range(&base, &bytes);
    ck_assert(memory >= (uint8_t *)base && memory + (1 << 20) <= (uint8_t *)base + bytes);
    ck_assert_ptr_null(arena_alloc(1 << 30, 64, ARENA_ANY_NODE));
    arena_free(memory);
    arena_usage(&after);
    ck_assert_uint_eq(before.used_bytes, after.used_bytes);
}
END_TEST

START_TEST(lcore_ids)
{
    unsigned first, second, mine = rte_lcore_id();

    ck_assert_int_eq(core_claim(&first), 0);
    ck_assert_int_eq(core_claim(&second), 0);
    ck_assert_uint_ne(first, second);
    ck_assert_uint_eq(rte_lcore_id(), mine);
    unsigned previous = core_enter(first);
    ck_assert_uint_eq(rte_lcore_id(), first);
    core_leave(previous);
    ck_assert_uint_eq(rte_lcore_id(), mine);
    core_release(second);
    core_release(first);
    ck_assert_int_eq(core_claim(&second), 0);
    ck_assert_uint_eq(second, first);
    core_release(second);
}
END_TEST

START_TEST(pinning)
{
    cpu_set_t set, now;
    unsigned cpu = 0;

    sched_getaffinity(0, sizeof(set), &set);
    while (!CPU_ISSET(cpu, &set))
        cpu++;
    ck_assert_uint_ge(topology_cpu_count(), 1);
    ck_assert(topology_cpu_usable(cpu));
    ck_assert_int_ge(topology_cpu_node(cpu), 0);
    ck_assert_int_eq(core_pin(cpu), 0);
    sched_getaffinity(0, sizeof(now), &now);
    ck_assert_int_eq(CPU_COUNT(&now), 1);
    ck_assert_int_eq(core_pin(100000), -EINVAL);
    sched_setaffinity(0, sizeof(set), &set);
}
END_TEST

START_TEST(no_second_start)
{
    struct eal_settings settings = {.hugepages = EAL_HUGEPAGES_OFF, .memory_mib = 64};
    char err[1024] = "";

    eal_stop();
    eal_stop();
    ck_assert(!eal_is_running());
    ck_assert_int_eq(eal_start(&settings, err, sizeof(err)), -EALREADY);
    ck_assert_ptr_nonnull(strstr(err, "once per process"));
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("platform_eal");
    TCase *tcase = tcase_create("eal");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, too_many_hugepages_are_refused);
    tcase_add_test(tcase, start);
    tcase_add_test(tcase, arena);
    tcase_add_test(tcase, lcore_ids);
    tcase_add_test(tcase, pinning);
    tcase_add_test(tcase, no_second_start);
    suite_add_tcase(suite, tcase);
    return suite;
}
