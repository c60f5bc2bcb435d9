/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unmodified program that does with its sockets what servers do: one scenario for each run, named
 * by the first argument. It talks to itself on 127.0.0.1, which the kernel serves, or we do (a route
 * rule): both must look alike, except where a scenario says so. Exit status 0: as expected; else a
 * line says what was not.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            printf("line %d: %s (%s)\n", __LINE__, #condition, strerror(errno));            \
            fflush(stdout);                                                                 \
            _exit(1);                                                                       \
        }                                                                                   \
    } while (0)

extern char **environ;
static bool ours; /* 127.0.0.1 is Pronghorn's */

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int listener(struct sockaddr_in *at)
{
    socklen_t len = sizeof(*at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    *at = loopback(0);
    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
    CHECK(bind(fd, (struct sockaddr *)at, sizeof(*at)) == 0);
    CHECK(listen(fd, 16) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)at, &len) == 0);
    CHECK(ntohs(at->sin_port) != 0 && at->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    return fd;
}

/* Two ends of one connection; the listener is left open in *l if wanted. */
static void connection(int pair[2], int *l)
{
    struct sockaddr_in at;
    int fd = listener(&at);

    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
    if (connect(pair[0], (struct sockaddr *)&at, sizeof(at)) < 0)
        CHECK(errno == EINPROGRESS);
    pair[1] = accept4(fd, NULL, NULL, 0);
    CHECK(pair[1] >= 0);
    CHECK(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(pair[0], F_SETFL, 0) == 0);
    if (l)
        *l = fd;
    else
        CHECK(close(fd) == 0);
}

static void say(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void hear(int fd, const char *text)
{
    char buffer[256];
    size_t got = 0;

    while (got < strlen(text)) {
        ssize_t n = read(fd, buffer + got, strlen(text) - got);

        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(memcmp(buffer, text, got) == 0);
}

static void echo(void)
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

static void before_connect(void)
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

static void duplicates(void)
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

static void streams(void)
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

static int status_of(pid_t child)
{
    int status = -1;

    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* In the child of a process with connections: with ours they are dead, and the parent's are not. */
static void forks(void)
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
static void daemons(void)
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

static void execs(const char *self)
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

static void after_exec(int fd)
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

static void rights(void)
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
static void signals(void)
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

/* A thread sleeps in an epoll of the kernel's; another puts a connection into it. */
static void *sleeper(void *arg)
{
    struct epoll_event event;

    if (epoll_wait((int)(intptr_t)arg, &event, 1, 20000) != 1)
        return NULL;
    return (void *)(uintptr_t)event.data.u32;
}

static void epolls(void)
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

static void datagrams(void)
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
static void wildcard(void)
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

static void files(void)
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
static void cost(void)
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
    printf("# read() of a kernel descriptor: %.1f ns, in libc %.1f ns: %.1f ns more\n", best[0], best[1],
           best[0] - best[1]);
}

static int early_fd = -1;

/* Before main: calls and a socket. */
__attribute__((constructor(150))) static void early(void)
{
    early_fd = socket(AF_INET, SOCK_STREAM, 0);
    close(dup(0));
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    static const struct {
        const char *name;
        void (*run)(void);
    } scenarios[] = { { "echo", echo },       { "before_connect", before_connect },
                      { "duplicates", duplicates }, { "streams", streams },
                      { "forks", forks },     { "daemons", daemons },
                      { "rights", rights },   { "signals", signals },
                      { "epolls", epolls },   { "datagrams", datagrams },
                      { "wildcard", wildcard }, { "files", files },
                      { "cost", cost } };

    ours = getenv("PRONGHORN_ROUTE") != NULL && getenv("LD_PRELOAD") != NULL;
    CHECK(early_fd >= 0 && close(early_fd) == 0);
    if (strcmp(what, "execs") == 0) {
        execs(arguments[0]);
        return 0;
    }
    if (strcmp(what, "after_exec") == 0) {
        after_exec(atoi(arguments[2]));
        return 0;
    }
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (strcmp(what, scenarios[i].name) == 0) {
            scenarios[i].run();
            return 0;
        }
    }
    fprintf(stderr, "no such scenario: %s\n", what);
    return 2;
}
