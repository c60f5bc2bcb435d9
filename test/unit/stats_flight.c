/* SPDX-License-Identifier: Apache-2.0 */
/* The flight recorder's file as a reader sees it: its records, its end, and what a killed process leaves. */
#include "stats/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "main.h"
#include "stats/segment.h"

#define RING_BYTES 16384u

static char err[256];

static void create(void)
{
    struct segment_settings segment = { .name = "flight test", .product = "0.0.0 (test)", .stacks = 2,
                                        .sockets_max = 64, .shared = true };
    struct flight_settings settings = { .stacks = 2, .ring_bytes = RING_BYTES, .snap_bytes = FLIGHT_SNAP_MIN };

    ck_assert_msg(segment_create(&segment, err, sizeof(err)) == 0, "%s", err);
    ck_assert_int_eq(flight_create(&settings), 0);
}

static const char *path_of(pid_t pid)
{
    static char path[64];

    snprintf(path, sizeof(path), "/dev/shm/pronghorn.%d.flight", (int)pid);
    return path;
}

static bool exists(pid_t pid)
{
    return access(path_of(pid), F_OK) == 0;
}

static const uint8_t *map_of(pid_t pid, mode_t mode, struct flight_header *header)
{
    struct stat about;
    int fd = open(path_of(pid), O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &about), 0);
    const uint8_t *memory = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    close(fd);
    memcpy(header, memory, sizeof(*header));
    ck_assert_uint_eq(header->total_bytes, (uint64_t)about.st_size);
    ck_assert_uint_eq(about.st_mode & 0777, mode);
    /* All of it is there: a full /dev/shm must not kill the process later. */
    ck_assert_uint_ge((uint64_t)about.st_blocks * 512, header->total_bytes);
    return memory;
}

static void write_record(struct flight_ring *ring, uint64_t number)
{
    ring->now_ns = number;
    struct flight_record *record = flight_begin(ring, FLIGHT_PACKET, 1);
    record->captured = sizeof(number);
    record->length = 1500;
    memcpy(record + 1, &number, sizeof(number));
    flight_end(ring);
}

START_TEST(records_lie_where_the_header_says)
{
    struct flight_header header;

    create();
    const uint8_t *file = map_of(getpid(), 0600, &header);
    ck_assert_mem_eq(header.magic, FLIGHT_MAGIC, 8);
    ck_assert_uint_eq(header.stacks, 2);
    ck_assert_uint_eq(header.slots, RING_BYTES / 128);
    ck_assert_uint_eq(header.slot_bytes, 128);
    ck_assert_str_eq(header.name, "flight test");
    ck_assert_uint_eq(header.start_ticks, segment_header()->start_ticks);
    for (uint64_t n = 0; n < header.slots * 2 + 5; n++) {
        write_record(flight_ring(1), n);
        const uint8_t *ring = file + header.ring_offset + header.ring_bytes;
        const struct flight_record *record =
            (const void *)(ring + header.ring_head_bytes + (n % header.slots) * header.slot_bytes);
        ck_assert_uint_eq(*(const uint64_t *)ring, n + 1);
        ck_assert_uint_eq(record->time_ns, n);
        ck_assert_mem_eq(record + 1, &n, sizeof(n));
    }
    ck_assert_uint_eq(*(const uint64_t *)(file + header.ring_offset), 0);
    flight_remove();
    segment_remove();
    ck_assert(!exists(getpid()));
    flight_remove();
}
END_TEST

START_TEST(a_larger_snap_length_is_had_whole)
{
    struct segment_settings segment = { .stacks = 1, .sockets_max = 64, .shared = true };
    struct flight_settings settings = { .stacks = 1, .ring_bytes = RING_BYTES, .snap_bytes = 1500 };
    struct flight_header header;

    ck_assert_int_eq(segment_create(&segment, err, sizeof(err)), 0);
    ck_assert_int_eq(flight_create(&settings), 0);
    map_of(getpid(), 0600, &header);
    ck_assert_uint_ge(header.slot_bytes - sizeof(struct flight_record), 1500);
    ck_assert_uint_ge(header.slots, 64); /* never so few that they say nothing */
    flight_remove();
    segment_remove();
}
END_TEST

/* A process that has one, and then waits to be killed. */
static pid_t victim(void)
{
    int ready[2];
    char byte;

    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        create();
        write_record(flight_ring(0), 77);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void kill_off(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* A /dev/shm of our own, where nobody else dies or sweeps. False: only root may. */
static bool own_shm(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", SHARED_FILE_DIRECTORY, "tmpfs", 0, "size=64m") == 0;
}

/* (How long, and how many: stats_segment.c.) */
START_TEST(it_outlives_a_killed_process)
{
    struct flight_header header;
    pid_t dead, alive;

    if (!own_shm())
        return;
    alive = victim();
    dead = victim();
    kill_off(dead);
    create(); /* sweeps */
    ck_assert(exists(dead));
    ck_assert(exists(alive));
    ck_assert(exists(getpid()));
    const uint8_t *file = map_of(dead, 0400, &header);
    const struct flight_record *record = (const void *)(file + header.ring_offset + header.ring_head_bytes);
    ck_assert_uint_eq(record->time_ns, 77);
    flight_remove();
    segment_remove();
    kill_off(alive);
}
END_TEST

START_TEST(what_stands_in_its_place_is_left_alone)
{
    struct segment_settings segment = { .stacks = 1, .sockets_max = 64, .shared = true };
    struct flight_settings settings = { .stacks = 1, .ring_bytes = RING_BYTES, .snap_bytes = FLIGHT_SNAP_MIN };

    ck_assert_int_eq(segment_create(&segment, err, sizeof(err)), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path_of(getpid())), 0);
    ck_assert_int_eq(flight_create(&settings), -EEXIST);
    ck_assert_ptr_null(flight_ring(0));
    ck_assert(exists(getpid()));
    unlink(path_of(getpid()));
    segment_remove();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("flight");
    TCase *c = tcase_create("flight");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, records_lie_where_the_header_says);
    tcase_add_test(c, a_larger_snap_length_is_had_whole);
    tcase_add_test(c, it_outlives_a_killed_process);
    tcase_add_test(c, what_stands_in_its_place_is_left_alone);
    suite_add_tcase(s, c);
    return s;
}
