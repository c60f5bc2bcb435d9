/* SPDX-License-Identifier: Apache-2.0 */
/* The files and sockets of a process: not its children's to remove, and swept when it was killed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "main.h"
#include "on_wire.h"

static const char *const shared[] = { "", ".flight", ".trace", ".console" };

static const char *path_of(pid_t pid, const char *suffix)
{
    static char path[64];

    snprintf(path, sizeof(path), "/dev/shm/pronghorn.%d%s", (int)pid, suffix);
    return path;
}

static void start(const char *telemetry)
{
    start_with({ "port", "" }, { "trace.points", "all" }, { "stats.telemetry", telemetry });
}

/* Where DPDK's telemetry listens in this process. */
static const char *telemetry_path(void)
{
    static struct sockaddr_un name;

    for (int fd = 0; fd < 1024; fd++) {
        socklen_t length = sizeof(name) - 1, size = sizeof(int);
        int listens = 0;

        memset(&name, 0, sizeof(name));
        if (getsockname(fd, (struct sockaddr *)&name, &length) == 0 && name.sun_family == AF_UNIX &&
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
            strstr(name.sun_path, "dpdk_telemetry.v2") != NULL)
            return name.sun_path;
    }
    ck_abort_msg("no telemetry");
}

static pid_t fork_now(void)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    return pid;
}

START_TEST(a_child_that_exits_takes_nothing_along)
{
    const char *telemetry;
    struct stat about;
    pid_t child;
    int status;

    start("on");
    telemetry = telemetry_path();
    child = fork_now();
    if (child == 0)
        exit(0); /* with all that atexit() was told */
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
        ck_assert_msg(access(path_of(getpid(), shared[i]), F_OK) == 0, "%s", path_of(getpid(), shared[i]));
    ck_assert_msg(stat(telemetry, &about) == 0, "%s is gone", telemetry);
    ph_stop();
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
        ck_assert_msg(access(path_of(getpid(), shared[i]), F_OK) < 0, "%s", path_of(getpid(), shared[i]));
}
END_TEST

/* (What lies in shared memory stays for a while: it tells why it died.) */
START_TEST(the_sockets_of_a_killed_process_are_swept)
{
    struct { char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; ino_t inode; } told = { .inode = 0 };
    struct stat about;
    int tell[2];
    pid_t child;

    ck_assert_int_eq(pipe(tell), 0);
    child = fork_now();
    if (child == 0) {
        start("on");
        strcpy(told.path, telemetry_path());
        told.inode = stat(told.path, &about) == 0 ? about.st_ino : 0;
        ck_assert_int_eq(write(tell[1], &told, sizeof(told)), sizeof(told));
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(read(tell[0], &told, sizeof(told)), sizeof(told));
    ck_assert(access(path_of(child, ".console"), F_OK) == 0);
    ck_assert_int_eq(stat(told.path, &about), 0);

    start("off");
    ck_assert(access(path_of(child, ".console"), F_OK) < 0);
    /* (Another process may have taken the name.) */
    ck_assert_msg(stat(told.path, &about) < 0 || about.st_ino != told.inode, "%s is still there", told.path);
    ck_assert(access(path_of(child, ".trace"), F_OK) == 0);
    ph_stop();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("leavings");
    TCase *c = tcase_create("leavings");

    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_child_that_exits_takes_nothing_along);
    tcase_add_test(c, the_sockets_of_a_killed_process_are_swept);
    suite_add_tcase(s, c);
    return s;
}
