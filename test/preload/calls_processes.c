/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios on what becomes of sockets with fork, exec and signals, and on their way to other processes. */
#include "calls.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static int status_of(pid_t child)
{
    int status = -1;

    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* In the child of a process with connections: with ours they are dead, and the parent's are not. */
void forks(void)
{
    int pair[2], l;
    char byte;
    pid_t child;

    connection(pair, &l);
    child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN);
        if (ours) {
            CHECK(read(pair[1], &byte, 1) == -1 && errno == ENOTCONN);
            CHECK(write(pair[1], "x", 1) == -1 && errno == EPIPE);
            CHECK(poll(&(struct pollfd){ .fd = pair[1], .events = POLLIN }, 1, 0) == 1);
        }
        CHECK(close(pair[0]) == 0 && close(pair[1]) == 0 && close(l) == 0);
        exit(0); /* with everything that runs at exit */
    }
    CHECK(status_of(child) == 0);
    say(pair[0], "still there");
    hear(pair[1], "still there");
    /* a grandchild, by vfork and exec */
    child = vfork();
    if (child == 0) {
        close(pair[0]);
        dup2(pair[1], 0);
        execl("/bin/true", "true", NULL);
        _exit(99);
    }
    CHECK(status_of(child) == 0);
    say(pair[1], "and still");
    hear(pair[0], "and still");
}

static void *server(void *arg)
{
    int l = (int)(intptr_t)arg;
    int fd = accept(l, NULL, NULL);
    char buffer[100];
    ssize_t n;

    while (fd >= 0 && (n = read(fd, buffer, sizeof(buffer))) > 0)
        if (write(fd, buffer, (size_t)n) != n)
            break;
    close(fd);
    return NULL;
}

/* A daemon: listens, forks, and the child serves. */
void daemons(void)
{
    struct sockaddr_in at;
    int l = listener(&at);
    pid_t child = fork();

    if (child == 0) {
        pthread_t thread;
        int fd;

        CHECK(pthread_create(&thread, NULL, server, (void *)(intptr_t)l) == 0);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        /* the child listens once its thread is in accept() */
        while (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
            CHECK(errno == ECONNREFUSED);
        say(fd, "from the daemon");
        hear(fd, "from the daemon");
        close(fd);
        pthread_join(thread, NULL);
        exit(0);
    }
    close(l);
    CHECK(status_of(child) == 0);
}

void execs(const char *self)
{
    int pair[2], kept;
    char number[16];
    char *arguments[] = { (char *)(uintptr_t)self, "after_exec", number, NULL };
    pid_t child;

    connection(pair, NULL);
    kept = dup(pair[0]); /* without close-on-exec */
    snprintf(number, sizeof(number), "%d", kept);
    CHECK(posix_spawn(&child, self, NULL, NULL, arguments, environ) == 0);
    CHECK(status_of(child) == 0);
    CHECK(system("exit 3") >> 8 == 3);
    {
        FILE *output = popen("echo through a pipe", "r");
        char line[32];

        CHECK(output && fgets(line, sizeof(line), output) && strcmp(line, "through a pipe\n") == 0);
        CHECK(pclose(output) == 0);
    }
    say(pair[0], "unharmed");
    hear(pair[1], "unharmed");
}

void after_exec(int fd)
{
    struct stat about;
    char byte;

    signal(SIGPIPE, SIG_IGN);
    CHECK(fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode));
    if (!ours)
        return;
    CHECK(read(fd, &byte, 1) == -1 && errno == ENOTCONN);
    CHECK(write(fd, "x", 1) == -1 && errno == EPIPE);
}

void rights(void)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec iov = { .iov_base = "x", .iov_len = 1 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                          .msg_controllen = sizeof(control) };
    int pair[2], way[2], fresh = socket(AF_INET, SOCK_STREAM, 0);

    connection(pair, NULL);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, way) == 0);
    control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                                       .cmsg_len = CMSG_LEN(sizeof(int)) };
    memcpy(CMSG_DATA(&control.header), &pair[0], sizeof(int));
    if (ours)
        CHECK(sendmsg(way[0], &msg, 0) == -1 && errno == EOPNOTSUPP);
    else
        CHECK(sendmsg(way[0], &msg, 0) == 1);
    memcpy(CMSG_DATA(&control.header), &fresh, sizeof(int)); /* not connected yet: may go */
    CHECK(sendmsg(way[0], &msg, 0) == 1);
}

static int bell[2];

static void on_signal(int number)
{
    int error = errno;

    (void)number;
    if (write(bell[1], "!", 1) == 1)
        close(dup(bell[1]));
    errno = error;
}

/* A handler that writes to a pipe and closes, over and over, while the thread is inside our calls. */
void signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    struct itimerspec often = { .it_interval = { 0, 200000 }, .it_value = { 0, 200000 } };
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    char buffer[4096] = { 0 };
    int pair[2], rounds = 0;
    timer_t timer;

    connection(pair, NULL);
    CHECK(pipe2(bell, O_NONBLOCK) == 0);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &often, NULL) == 0);
    for (int i = 0; i < 20000 && rounds < 200; i++) {
        size_t got = 0;

        CHECK(write(pair[0], buffer, 1000) == 1000);
        while (got < 1000) {
            ssize_t n = read(pair[1], buffer, 1000 - got);

            CHECK(n > 0);
            got += (size_t)n;
        }
        while (read(bell[0], buffer + 2000, 100) > 0)
            rounds++;
    }
    timer_delete(timer);
    CHECK(rounds > 0);
}
