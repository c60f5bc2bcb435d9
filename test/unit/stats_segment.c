/* SPDX-License-Identifier: Apache-2.0 */
/* The segment as other processes see it: complete, consistent, gone when its process is. */
#include "stats/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "main.h"

#define SOCKETS_MAX 5000

static char err[256];

static struct segment_settings settings(void)
{
    return (struct segment_settings){.name = "segment test", .product = "0.0.0 (test)", .stacks = 2,
                                     .sockets_max = SOCKETS_MAX, .shared = true};
}

static void create(void)
{
    struct segment_settings wanted = settings();

    ck_assert_msg(segment_create(&wanted, err, sizeof(err)) == 0, "%s", err);
}

static const char *path_of(pid_t pid)
{
    static char path[64];

    snprintf(path, sizeof(path), "/dev/shm/pronghorn.%d", (int)pid);
    return path;
}

/* As a reader does: by the file alone. */
static const struct segment_header *map_of(pid_t pid)
{
    struct stat stat;
    int fd = open(path_of(pid), O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &stat), 0);
    void *memory = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    ck_assert_uint_eq(((struct segment_header *)memory)->total_bytes, (uint64_t)stat.st_size);
    close(fd);
    return memory;
}

static const struct segment_entry *entry_of(const struct segment_header *header, const char *name)
{
    for (uint32_t i = 0; i < header->directory_entries; i++) {
        const struct segment_entry *entry =
            (const struct segment_entry *)((const char *)header + header->directory_offset +
                                           (size_t)i * header->directory_entry_bytes);
        if (strcmp(entry->name, name) == 0)
            return entry;
    }
    ck_abort_msg("no entry %s", name);
    return NULL;
}

static uint64_t counter_of(const struct segment_header *header, unsigned stack, const char *name)
{
    const struct segment_entry *entry = entry_of(header, name);

    ck_assert_uint_eq(entry->bytes, 8);
    return __atomic_load_n((const uint64_t *)((const char *)header + header->stack_offset +
                                              (size_t)stack * header->stack_bytes + entry->offset),
                           __ATOMIC_RELAXED);
}

START_TEST(describes_itself)
{
    const struct segment_header *header;
    struct stat stat_;

    create();
    header = map_of(getpid());
    ck_assert_mem_eq(header->magic, SEGMENT_MAGIC, 8);
    ck_assert_uint_eq(header->version, SEGMENT_VERSION);
    ck_assert_uint_eq(header->pid, (uint32_t)getpid());
    ck_assert_uint_gt(header->start_ticks, 0);
    ck_assert_str_eq(header->name, "segment test");
    ck_assert_uint_eq(header->stacks, 2);
    ck_assert_uint_eq(header->stack_offset % 4096, 0);
    ck_assert_uint_eq(header->sockets_used, 0);

    STAT_INC(segment_stack(0), rx_packets);
    STAT_ADD(segment_stack(1), rx_packets, 41);
    STAT_INC(segment_stack(1), rx_packets);
    STAT_SET(segment_stack(1), chunks_free, 7);
    histogram_add(&segment_stack(0)->turn_ns, 1000);
    ck_assert_uint_eq(counter_of(header, 0, "rx_packets"), 1);
    ck_assert_uint_eq(counter_of(header, 1, "rx_packets"), 42);
    ck_assert_uint_eq(counter_of(header, 1, "chunks_free"), 7);
    ck_assert_str_eq(entry_of(header, "rx_packets")->unit, "packets");
    ck_assert_uint_eq(entry_of(header, "turn_ns")->kind, SEGMENT_histogram);
    ck_assert_uint_eq(entry_of(header, "turn_ns")->detail, HISTOGRAM_STEP_BITS);
    ck_assert_uint_eq(entry_of(header, "listening")->scope, SEGMENT_WORD);

    ck_assert_int_eq(stat(path_of(getpid()), &stat_), 0);
    ck_assert_uint_eq(stat_.st_mode & 0777, 0600);
    segment_remove();
    ck_assert_int_eq(stat(path_of(getpid()), &stat_), -1);
    segment_remove();
}
END_TEST

START_TEST(only_one)
{
    struct segment_settings wanted = settings();

    create();
    ck_assert_int_eq(segment_create(&wanted, err, sizeof(err)), -EINVAL);
    segment_remove();
    create();
    segment_remove();
}
END_TEST

/* A row gets memory when it is used, and a small process stays small. */
START_TEST(socket_rows_grow)
{
    const struct segment_header *header;
    struct stat before, after;

    create();
    header = map_of(getpid());
    ck_assert_ptr_null(segment_socket(SOCKETS_MAX));
    ck_assert_int_eq(stat(path_of(getpid()), &before), 0);
    ck_assert_int_lt(before.st_blocks * 512, 128 << 10);
    /* The directory and the stacks' blocks; neither a row nor a fact has memory yet. */
    ck_assert_int_le(before.st_blocks * 512, (long)(header->socket_offset - SEGMENT_FACTS_BYTES));
    for (unsigned i = 0; i < SOCKETS_MAX; i += 7) {
        struct stats_socket *row = segment_socket(i);

        ck_assert_ptr_nonnull(row);
        ck_assert_ptr_eq(segment_socket(i), row);
        stats_socket_begin(row);
        row->id = i + 1;
        stats_socket_end(row);
        ck_assert_uint_eq(header->sockets_used, i + 1);
    }
    ck_assert_ptr_nonnull(segment_socket(SOCKETS_MAX - 1));
    ck_assert_uint_eq(header->sockets_used, SOCKETS_MAX);
    ck_assert_ptr_nonnull(segment_socket(0));
    ck_assert_uint_eq(header->sockets_used, SOCKETS_MAX); /* never goes down */
    ck_assert_int_eq(stat(path_of(getpid()), &after), 0);
    ck_assert_int_ge(after.st_blocks * 512, SOCKETS_MAX * (int)sizeof(struct stats_socket));
    segment_remove();
}
END_TEST

START_TEST(private_when_not_shared)
{
    struct segment_settings wanted = settings();
    struct stat unused;

    wanted.shared = false;
    ck_assert_int_eq(segment_create(&wanted, err, sizeof(err)), 0);
    ck_assert_int_eq(stat(path_of(getpid()), &unused), -1);
    STAT_INC(segment_stack(1), turns);
    ck_assert_uint_eq(segment_stack(1)->turns, 1);
    ck_assert_ptr_nonnull(segment_socket(SOCKETS_MAX - 1));
    segment_remove();
}
END_TEST

/* Something else has the name: the process works all the same, and that file is left alone. */
START_TEST(name_is_taken)
{
    int fd = open(path_of(getpid()), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0); /* as a live one in another pid namespace */
    ck_assert_int_eq(freopen("/dev/null", "w", stderr) != NULL, 1);
    create();
    STAT_INC(segment_stack(0), turns);
    segment_remove();
    ck_assert_int_eq(unlink(path_of(getpid())), 0);
    close(fd);
}
END_TEST

/*
 * A small /dev/shm of our own, in a mount namespace of our own; the private propagation keeps it out
 * of everybody else's view. False: only root may.
 */
static bool small_shm(const char *options)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", SEGMENT_DIRECTORY, "tmpfs", 0, options) == 0;
}

/* Too little even for the beginning: private memory, not a SIGBUS at the first count. */
START_TEST(shared_memory_is_full_at_once)
{
    struct stat unused;

    if (!small_shm("size=16k"))
        return;
    ck_assert_int_eq(freopen("/dev/null", "w", stderr) != NULL, 1);
    create();
    for (unsigned i = 0; i < 2; i++)
        memset(segment_stack(i), 0x55, sizeof(struct stats_stack));
    ck_assert_ptr_nonnull(segment_socket(SOCKETS_MAX - 1));
    ck_assert_int_eq(stat(path_of(getpid()), &unused), -1);
    segment_remove();
}
END_TEST

/* Full later: sockets beyond it are not shown, all else goes on. */
START_TEST(shared_memory_is_full_later)
{
    unsigned shown = 0;

    if (!small_shm("size=512k"))
        return;
    create();
    for (unsigned i = 0; i < SOCKETS_MAX; i++) {
        struct stats_socket *row = segment_socket(i);

        if (row)
            memset((char *)row + sizeof(row->sequence), 0x55, sizeof(*row) - sizeof(row->sequence));
        shown += row != NULL;
    }
    ck_assert_uint_gt(shown, 500);
    ck_assert_uint_lt(shown, SOCKETS_MAX);
    STAT_INC(segment_stack(1), turns);
    ck_assert_uint_eq(map_of(getpid())->sockets_used, shown);
    segment_remove();
}
END_TEST

/* ---- other processes ------------------------------------------------------------------------- */

/* A child that makes a segment, says so, and goes on as `then` does. */
static pid_t start_child(void (*then)(void))
{
    int ready[2];
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test fails before end_child() */
        create();
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        then();
        _exit(0);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static void wait_to_be_killed(void)
{
    for (;;)
        pause();
}

static bool exists(pid_t pid) { return access(path_of(pid), F_OK) == 0; }

static void noted_ago(pid_t pid, int seconds)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

    clock_gettime(CLOCK_REALTIME, &times[1]);
    times[1].tv_sec -= seconds;
    ck_assert_int_eq(utimensat(AT_FDCWD, path_of(pid), times, 0), 0);
}

/* Whoever is restarted at once leaves its numbers all the same; many dead ones leave few for long. */
START_TEST(the_dead_stay_for_a_while)
{
    pid_t dead[SHARED_FILE_DEAD_MAX + 3], live;
    unsigned left = 0;
    struct stat about;

    if (!small_shm("size=64m"))
        return;
    live = start_child(wait_to_be_killed);
    for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
        dead[i] = start_child(wait_to_be_killed);
        end_child(dead[i]);
        ck_assert(exists(dead[i]));
    }
    create(); /* sweeps by itself */
    for (size_t i = 0; i < ARRAY_SIZE(dead); i++)
        left += exists(dead[i]);
    ck_assert_uint_eq(left, SHARED_FILE_DEAD_MAX);
    ck_assert(exists(dead[ARRAY_SIZE(dead) - 1]));
    ck_assert_int_eq(stat(path_of(dead[ARRAY_SIZE(dead) - 1]), &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0400);
    ck_assert_uint_eq(shared_file_sweep(""), 0);

    for (size_t i = 0; i < ARRAY_SIZE(dead); i++)
        if (exists(dead[i]))
            noted_ago(dead[i], SHARED_FILE_GRACE_S + 2 + (int)(ARRAY_SIZE(dead) - i));
    ck_assert_uint_eq(shared_file_sweep(""), SHARED_FILE_DEAD_MAX - SHARED_FILE_KEPT);
    for (size_t i = 0; i < ARRAY_SIZE(dead); i++)
        ck_assert_msg(exists(dead[i]) == (i >= ARRAY_SIZE(dead) - SHARED_FILE_KEPT), "the dead one number %zu", i);
    ck_assert(exists(live));
    ck_assert(exists(getpid()));
    segment_remove();
    end_child(live);
}
END_TEST

/* In a container each start may have the same number. */
START_TEST(the_dead_give_their_number_back)
{
    struct stat about;
    pid_t dead;

    if (!small_shm("size=8m"))
        return;
    dead = start_child(wait_to_be_killed);
    end_child(dead);
    static char path[64];
    snprintf(path, sizeof(path), "%s", path_of(dead));
    ck_assert_int_eq(rename(path, path_of(getpid())), 0);
    create();
    ck_assert_uint_eq(map_of(getpid())->pid, (uint32_t)getpid());
    ck_assert_int_eq(stat(path_of(getpid()), &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
    segment_remove();
}
END_TEST

START_TEST(sweep_leaves_other_things)
{
    static const char *const paths[] = {"/dev/shm/pronghorn.x1", "/dev/shm/pronghorn.", "/dev/shm/pronghorn.1x"};

    for (int i = 0; i < 3; i++) {
        int fd = open(paths[i], O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        close(fd);
    }
    ck_assert_int_eq(symlink("/etc/passwd", path_of(1999999999)), 0);
    shared_file_sweep("");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(unlink(paths[i]), 0);
    ck_assert_int_eq(unlink(path_of(1999999999)), 0);
    ck_assert_int_eq(access("/etc/passwd", F_OK), 0);
}
END_TEST

/* A forked child that exits in order takes nothing away from its parent. */
START_TEST(fork_leaves_it_to_the_parent)
{
    pid_t child;

    create();
    child = fork();
    if (child == 0) {
        segment_remove();
        segment_remove();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert(exists(getpid()));
    STAT_INC(segment_stack(0), turns);
    segment_remove();
    ck_assert(!exists(getpid()));
}
END_TEST

/* The invariants that the reader checks: counters only grow; the parts of a row belong together. */
static void write_for_ever(void)
{
    struct stats_stack *stack = segment_stack(0);
    struct stats_socket *row = segment_socket(3);

    for (uint32_t n = 1;; n++) {
        STAT_ADD(stack, rx_bytes, 1000000007);
        STAT_INC(stack, rx_packets);
        stats_socket_begin(row);
        row->id = n;
        memset(row->local_address, (int)(n & 0xff), sizeof(row->local_address));
        row->rtt_us = ~n;
        row->tx_packets = (uint64_t)n << 20;
        stats_socket_end(row);
        if (n % 64 == 0)
            sched_yield(); /* with one core for both the reader shall not always find it half written */
    }
}

static bool copy_row(const struct stats_socket *row, struct stats_socket *copy)
{
    for (int i = 0; i < 1000; i++) {
        uint32_t before = atomic_load_explicit(&row->sequence, memory_order_acquire);

        memcpy((char *)copy, (const char *)row, sizeof(*copy));
        atomic_thread_fence(memory_order_acquire);
        if ((before & 1) == 0 &&
            before == atomic_load_explicit(&row->sequence, memory_order_relaxed))
            return true;
    }
    return false;
}

START_TEST(reader_beside_the_writer_and_after_its_death)
{
    pid_t child = start_child(write_for_ever);
    const struct segment_header *header = map_of(child);
    const struct stats_socket *row =
        (const struct stats_socket *)((const char *)header + header->socket_offset +
                                      3 * (size_t)header->socket_bytes);
    uint64_t until = clock_now_ns() + 300000000, packets = 0, bytes = 0;
    unsigned copies = 0;

    while (clock_now_ns() < until || (copies == 0 && clock_now_ns() < until + 60000000000)) {
        struct stats_socket copy;
        uint64_t packets_now = counter_of(header, 0, "rx_packets");
        uint64_t bytes_now = counter_of(header, 0, "rx_bytes");

        ck_assert_uint_ge(packets_now, packets);
        ck_assert_uint_ge(bytes_now, bytes);
        ck_assert_uint_eq(bytes_now % 1000000007, 0);
        packets = packets_now;
        bytes = bytes_now;
        if (!copy_row(row, &copy) || copy.id == 0)
            continue;
        copies++;
        ck_assert_uint_eq(copy.rtt_us, ~(uint32_t)copy.id);
        ck_assert_uint_eq(copy.tx_packets, copy.id << 20);
        ck_assert_uint_eq(copy.local_address[0], copy.id & 0xff);
        ck_assert_uint_eq(copy.local_address[15], copy.id & 0xff);
    }
    ck_assert_uint_gt(packets, 0);
    ck_assert_uint_gt(copies, 0);

    end_child(child);
    /* Killed in the middle of whatever it did: what is mapped can still be read... */
    ck_assert_uint_ge(counter_of(header, 0, "rx_packets"), packets);
    ck_assert_mem_eq(header->magic, SEGMENT_MAGIC, 8);
    /* ...also by who comes after the next start. */
    create();
    ck_assert_uint_eq(map_of(child)->pid, (uint32_t)child);
    segment_remove();
    ck_assert_int_eq(unlink(path_of(child)), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("stats_segment");
    TCase *tests = tcase_create("segment");

    tcase_add_test(tests, describes_itself);
    tcase_add_test(tests, only_one);
    tcase_add_test(tests, socket_rows_grow);
    tcase_add_test(tests, private_when_not_shared);
    tcase_add_test(tests, name_is_taken);
    tcase_add_test(tests, shared_memory_is_full_at_once);
    tcase_add_test(tests, shared_memory_is_full_later);
    tcase_add_test(tests, the_dead_stay_for_a_while);
    tcase_add_test(tests, the_dead_give_their_number_back);
    tcase_add_test(tests, sweep_leaves_other_things);
    tcase_add_test(tests, fork_leaves_it_to_the_parent);
    tcase_add_test(tests, reader_beside_the_writer_and_after_its_death);
    suite_add_tcase(suite, tests);
    return suite;
}
