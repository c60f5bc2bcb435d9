/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios on sockets, epolls and files. */
#include "calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

void echo(void)
{
    int pair[2], error = 1, on = 1;
    socklen_t len = sizeof(error);
    struct stat about;

    connection(pair, NULL);
    say(pair[0], "hello");
    hear(pair[1], "hello");
    CHECK(send(pair[1], "there", 5, MSG_NOSIGNAL) == 5);
    hear(pair[0], "there");
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
    CHECK(fstat(pair[0], &about) == 0 && S_ISSOCK(about.st_mode));
    CHECK(ioctl(pair[0], FIONBIO, &on) == 0);
    CHECK(read(pair[0], &on, 1) == -1 && errno == EAGAIN);
    CHECK(shutdown(pair[0], SHUT_WR) == 0);
    CHECK(read(pair[1], &on, 1) == 0);
    CHECK(syscall(SYS_close, pair[0]) == 0);
    CHECK(close(pair[0]) == -1 && errno == EBADF);
    CHECK(close(pair[1]) == 0);
}

void before_connect(void)
{
    int epoll = epoll_create1(0), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), l, value = 0, a;
    struct epoll_event event = { .events = EPOLLOUT, .data.u32 = 7 }, got[4];
    struct sockaddr_in at;
    socklen_t len = sizeof(value);

    value = 1;
    CHECK(setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &value, sizeof(value)) == 0);
    value = 42;
    CHECK(setsockopt(fd, IPPROTO_TCP, 4 /* TCP_KEEPIDLE */, &value, sizeof(value)) == 0);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1 && errno == EEXIST);
    l = listener(&at);
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno == EINPROGRESS);
    a = accept(l, NULL, NULL);
    CHECK(a >= 0);
    do /* before connect() the kernel said OUT|HUP, which may still have been told */
        CHECK(epoll_wait(epoll, got, 4, 5000) == 1);
    while (got[0].events & EPOLLHUP);
    CHECK(got[0].data.u32 == 7 && got[0].events == EPOLLOUT);
    CHECK(getsockopt(fd, IPPROTO_TCP, 4, &value, &len) == 0 && value == 42);
    event.events = EPOLLIN;
    CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0);
    say(a, "x");
    CHECK(epoll_wait(epoll, got, 4, 5000) == 1 && got[0].events == EPOLLIN);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0);
}

void duplicates(void)
{
    int pair[2], other, high, file = open("/dev/null", O_RDWR);

    connection(pair, NULL);
    other = dup(pair[1]);
    CHECK(other >= 0);
    high = fcntl(pair[1], F_DUPFD_CLOEXEC, 100);
    CHECK(high >= 100 && fcntl(high, F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl(other, F_GETFD) == 0);
    CHECK(close(pair[1]) == 0);
    say(pair[0], "ab");
    hear(other, "a");
    hear(high, "b");
    /* onto a number that is open: a file, then one of ours */
    CHECK(dup2(other, file) == file);
    CHECK(close(other) == 0 && close(high) == 0);
    say(pair[0], "c");
    hear(file, "c");
    CHECK(dup2(file, file) == file && dup3(file, file, 0) == -1 && errno == EINVAL);
    CHECK(dup2(9999, file) == -1 && errno == EBADF);
    other = open("/dev/zero", O_RDONLY);
    CHECK(dup2(other, file) == file); /* the last descriptor of that end */
    CHECK(read(file, &high, 1) == 1);
    CHECK(read(pair[0], &high, 1) == 0);
    CHECK(close_range((unsigned)pair[0], (unsigned)pair[0], 0) == 0);
    CHECK(fcntl(pair[0], F_GETFD) == -1 && errno == EBADF);
}

void streams(void)
{
    int pair[2];
    char line[32];
    FILE *a, *b;

    connection(pair, NULL);
    a = fdopen(pair[0], "r+");
    b = fdopen(pair[1], "r+");
    CHECK(a && b && fileno(a) == pair[0]);
    setvbuf(a, NULL, _IOLBF, 0);
    CHECK(fputs("over stdio\n", a) >= 0 && fflush(a) == 0);
    CHECK(fgets(line, sizeof(line), b) && strcmp(line, "over stdio\n") == 0);
    CHECK(fclose(a) == 0);
    CHECK(fgetc(b) == EOF && feof(b));
    CHECK(fclose(b) == 0);
    CHECK(fcntl(pair[1], F_GETFD) == -1);
}

/* A thread sleeps in an epoll of the kernel's; another puts a connection into it. */
static void *sleeper(void *arg)
{
    struct epoll_event event;

    if (epoll_wait((int)(intptr_t)arg, &event, 1, 20000) != 1)
        return NULL;
    return (void *)(uintptr_t)event.data.u32;
}

void epolls(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), pipes[2], pair[2], copy;
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = 1 }, got[4];
    pthread_t threads[2];
    void *heard[2];

    CHECK(pipe(pipes) == 0);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, sleeper, (void *)(intptr_t)epoll) == 0);
    usleep(20000); /* most likely they sleep now; if not, the test tests less */
    connection(pair, NULL);
    event = (struct epoll_event){ .events = EPOLLIN, .data.u32 = 2 };
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[1], &event) == 0);
    say(pair[0], "x");
    for (int i = 0; i < 2; i++) /* level-triggered: both hear of it */
        CHECK(pthread_join(threads[i], &heard[i]) == 0 && heard[i] == (void *)2);
    say(pipes[1], "y");
    CHECK(epoll_wait(epoll, got, 4, 1000) >= 1);
    hear(pair[1], "x");
    CHECK(epoll_wait(epoll, got, 4, 1000) == 1 && got[0].data.u32 == 1);
    copy = dup(epoll);
    CHECK(close(epoll) == 0);
    say(pair[0], "z");
    hear(pipes[0], "y");
    CHECK(epoll_wait(copy, got, 4, 1000) == 1 && got[0].data.u32 == 2);
}

void datagrams(void)
{
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = loopback(0), from;
    socklen_t len = sizeof(at);
    char buffer[100];
    fd_set set;

    CHECK(bind(a, (struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK(getsockname(a, (struct sockaddr *)&at, &len) == 0 && at.sin_port != 0);
    CHECK(sendto(b, "ping", 4, 0, (struct sockaddr *)&at, sizeof(at)) == 4);
    FD_ZERO(&set);
    FD_SET(a, &set);
    CHECK(select(a + 1, &set, NULL, NULL, &(struct timeval){ .tv_sec = 5 }) == 1);
    len = sizeof(from);
    CHECK(recvfrom(a, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &len) == 4);
    CHECK(connect(a, (struct sockaddr *)&from, len) == 0);
    CHECK(send(a, "pong", 4, 0) == 4);
    CHECK(recv(b, buffer, sizeof(buffer), 0) == 4 && memcmp(buffer, "pong", 4) == 0);
}

/* A server on all addresses: with a rule for loopback it belongs to both sides. */
void wildcard(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET }, self, from;
    int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0), fd, accepted;
    int client = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t len = sizeof(at);
    char buffer[16];

    CHECK(bind(tcp, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(tcp, 5) == 0);
    CHECK(getsockname(tcp, (struct sockaddr *)&at, &len) == 0 && at.sin_port != 0);
    CHECK(bind(udp, (struct sockaddr *)&at, sizeof(at)) == 0);
    self = loopback(ntohs(at.sin_port));
    CHECK(fcntl(tcp, F_SETFL, O_NONBLOCK) == 0);
    CHECK(accept(tcp, NULL, NULL) == -1 && errno == EAGAIN);
    CHECK(fcntl(tcp, F_SETFL, 0) == 0);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&self, sizeof(self)) == 0);
    accepted = accept(tcp, (struct sockaddr *)&from, &len);
    CHECK(accepted >= 0 && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    say(fd, "tcp");
    hear(accepted, "tcp");
    CHECK(recv(udp, buffer, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK(sendto(client, "udp", 3, 0, (struct sockaddr *)&self, sizeof(self)) == 3);
    CHECK(poll(&(struct pollfd){ .fd = udp, .events = POLLIN }, 1, 5000) == 1);
    len = sizeof(from);
    CHECK(recvfrom(udp, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &len) == 3);
    CHECK(sendto(udp, "UDP", 3, 0, (struct sockaddr *)&from, len) == 3);
    CHECK(recv(client, buffer, sizeof(buffer), 0) == 3 && memcmp(buffer, "UDP", 3) == 0);
}

static int take_all(int l)
{
    int count = 0;

    for (int fd; (fd = accept(l, NULL, NULL)) >= 0; count++)
        CHECK(close(fd) == 0);
    return count;
}

/* Two listeners on all addresses share a port; then one of them alone has it. */
void sharing(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET }, self;
    socklen_t len = sizeof(at);
    int l[2], on = 1, fds[64], got[2] = { 0 };

    for (int i = 0; i < 2; i++) {
        l[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        CHECK(setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
        CHECK(bind(l[i], (struct sockaddr *)&at, sizeof(at)) == 0 && listen(l[i], 100) == 0);
        CHECK(getsockname(l[i], (struct sockaddr *)&at, &len) == 0);
    }
    self = loopback(ntohs(at.sin_port));
    for (int round = 0; round < 2; round++) {
        int expected = round == 0 ? 64 : 8, all = 0;

        for (int i = 0; i < expected; i++) {
            fds[i] = socket(AF_INET, SOCK_STREAM, 0);
            CHECK(connect(fds[i], (struct sockaddr *)&self, sizeof(self)) == 0);
        }
        while (all < expected) { /* connect() returns before it waits to be accepted */
            struct pollfd p[2] = { { .fd = l[0], .events = POLLIN }, { .fd = l[1], .events = POLLIN } };

            CHECK(poll(p + round, 2 - (nfds_t)round, 5000) > 0);
            for (int i = round; i < 2; i++)
                got[i] += take_all(l[i]);
            all = got[0] + got[1];
        }
        CHECK(all == expected && (round == 1 || (got[0] > 0 && got[1] > 0)));
        for (int i = 0; i < expected; i++)
            CHECK(close(fds[i]) == 0);
        CHECK(round == 1 || close(l[0]) == 0);
        got[0] = got[1] = 0;
    }
}

void files(void)
{
    char name[] = "/tmp/pronghorn-calls-XXXXXX", data[200000], back[sizeof(data)];
    int file = mkstemp(name), pair[2], pipes[2];
    off_t at = 1000;
    size_t got = 0;
    pid_t unused = unlink(name);

    (void)unused;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 + i / 256);
    CHECK(write(file, data, sizeof(data)) == sizeof(data));
    connection(pair, NULL);
    CHECK(sendfile(pair[0], file, &at, 50000) == 50000 && at == 51000);
    while (got < 50000) {
        ssize_t n = read(pair[1], back + got, 50000 - got);

        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(memcmp(back, data + 1000, 50000) == 0);
    CHECK(pipe(pipes) == 0);
    say(pipes[1], "spliced in");
    CHECK(splice(pipes[0], NULL, pair[0], NULL, 100, 0) == 10);
    hear(pair[1], "spliced in");
    say(pair[0], "spliced out");
    CHECK(splice(pair[1], NULL, pipes[1], NULL, 100, 0) == 11);
    hear(pipes[0], "spliced out");
}

/* What a call on one of the kernel's descriptors costs more than in libc. */
void cost(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW);
    ssize_t (*plain)(int, void *, size_t) = (ssize_t(*)(int, void *, size_t))dlsym(libc, "read");
    int fd = eventfd(0, EFD_NONBLOCK), pair[2];
    double best[2] = { 1e9, 1e9 };
    uint64_t value;

    connection(pair, NULL);
    for (int round = 0; round < 2000; round++) {
        struct timespec start, end;
        double ns;

        clock_gettime(CLOCK_MONOTONIC, &start);
        for (int i = 0; i < 500; i++)
            (round % 2 ? plain : read)(fd, &value, 8);
        clock_gettime(CLOCK_MONOTONIC, &end);
        ns = ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / 500;
        if (ns < best[round % 2])
            best[round % 2] = ns;
    }
    printf("{\"bench\":\"cost\",\"read_ns\":%.1f,\"libc_ns\":%.1f,\"more_ns\":%.1f}\n", best[0], best[1],
           best[0] - best[1]);
}
