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
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* The process itself becomes another program, and leaves it two ends of a connection, and two that are not for it. */
void execs_itself(const char *self)
{
    int pair[2], l, numbers[4];
    char text[4][16];
    char *arguments[] = { (char *)(uintptr_t)self, "after_own_exec", text[0], text[1], text[2], text[3], NULL };

    connection(pair, &l); /* the listener has close-on-exec from the start */
    numbers[0] = pair[0];
    numbers[1] = pair[1];
    numbers[2] = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);
    numbers[3] = l;
    for (int i = 0; i < 4; i++)
        snprintf(text[i], sizeof(text[i]), "%d", numbers[i]);
    say(pair[0], "before");
    hear(pair[1], "before");
    execve(self, arguments, environ);
    CHECK(false);
}

/* What was ours is a socket without a connection there; the kernel's goes on. */
void after_own_exec(char *const *numbers)
{
    struct stat about;
    char byte;

    signal(SIGPIPE, SIG_IGN);
    CHECK(fcntl(atoi(numbers[2]), F_GETFD) == -1 && errno == EBADF);
    CHECK(fcntl(atoi(numbers[3]), F_GETFD) == -1 && errno == EBADF);
    for (int i = 0; ours && i < 2; i++) {
        int fd = atoi(numbers[i]);

        CHECK(fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode));
        CHECK(read(fd, &byte, 1) == -1 && errno == ENOTCONN);
        CHECK(write(fd, "x", 1) == -1 && errno == EPIPE);
        CHECK(close(fd) == 0);
    }
    if (!ours) {
        say(atoi(numbers[0]), "after");
        hear(atoi(numbers[1]), "after");
    }
}

static bool stopped_with(int result, int error)
{
    return result == -1 && errno == error;
}

static void *reader(void *pair)
{
    hear(((int *)pair)[1], "to a thread that waits");
    return NULL;
}

/* However exec fails, the process goes on with all it had: connections, and who waits on them. */
void failed_execs(void)
{
    char folder[] = "/tmp/failed-execs.XXXXXX", *none[] = { "x", NULL }, *too_long = malloc(200000);
    char *nowhere[] = { "x", (char *)16, NULL }, *huge[] = { "x", too_long, NULL };
    struct epoll_event event = { .events = EPOLLIN }, got;
    int pair[2], l, epfd = epoll_create1(0), fd, signals_fd;
    pthread_t thread;
    sigset_t set;
    pid_t child;

    CHECK(mkdtemp(folder) && chdir(folder) == 0 && too_long);
    memset(too_long, 'x', 199999);
    too_long[199999] = '\0';
    connection(pair, &l);
    CHECK(epoll_ctl(epfd, EPOLL_CTL_ADD, l, &event) == 0);
    CHECK(pthread_create(&thread, NULL, reader, pair) == 0);

    CHECK(stopped_with(execv("missing", none), ENOENT));
    CHECK(stopped_with(execv("", none), ENOENT));
    CHECK(stopped_with(execv(folder, none), EACCES));
    fd = open("text", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(stopped_with(execve("text", none, environ), EACCES));
    CHECK(stopped_with(execv("text/below", none), ENOTDIR));
    CHECK(fchmod(fd, 0700) == 0);
    CHECK(stopped_with(execv("text", none), ETXTBSY));
    CHECK(write(fd, "neither nor\n", 12) == 12 && close(fd) == 0);
    CHECK(stopped_with(execl("./text", "x", NULL), ENOEXEC));
    CHECK(stopped_with(execle("./text", "x", NULL, environ), ENOEXEC));
    fd = open("script", O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
    CHECK(write(fd, "#!/no/such/shell\n", 17) == 17 && close(fd) == 0);
    CHECK(stopped_with(execv("./script", none), ENOENT));
    CHECK(symlink("loop", "loop") == 0 && stopped_with(execv("loop", none), ELOOP));
    CHECK(stopped_with(execv(too_long, none), ENAMETOOLONG));
    CHECK(stopped_with(execv("/bin/true", huge), E2BIG));
    CHECK(stopped_with(execv("/bin/true", nowhere), EFAULT));
    /* by PATH: the first is a directory, the second no program that can be started */
    CHECK(mkdir("a", 0700) == 0 && mkdir("a/name", 0700) == 0 && setenv("PATH", "a:missing", 1) == 0);
    CHECK(stopped_with(execvp("name", none), EACCES));
    CHECK(stopped_with(execlp("other", "x", NULL), ENOENT));
    CHECK(stopped_with(execvpe("script/name", none, environ), ENOTDIR));
    fd = open("script", O_RDONLY | O_CLOEXEC);
    CHECK(stopped_with(fexecve(fd, none, environ), ENOENT));
    CHECK(stopped_with(execveat(AT_FDCWD, "missing", none, environ, 0), ENOENT));
    CHECK(stopped_with((int)syscall(SYS_execve, "./script", none, environ), ENOENT));
    CHECK(stopped_with((int)syscall(SYS_execveat, fd, "", none, environ, AT_EMPTY_PATH), ENOENT));

    child = vfork();
    if (child == 0) {
        execl("./script", "x", NULL);
        _exit(errno == ENOENT ? 7 : 1);
    }
    CHECK(status_of(child) == 7);
    CHECK(posix_spawn(&child, "./script", NULL, NULL, none, environ) == ENOENT);
    CHECK(posix_spawnp(&child, "name", NULL, NULL, none, environ) == EACCES);

    say(pair[0], "to a thread that waits");
    CHECK(pthread_join(thread, NULL) == 0);
    say(pair[1], "unharmed");
    hear(pair[0], "unharmed");
    CHECK(epoll_wait(epfd, &got, 1, 0) == 0);
    {
        struct sockaddr_in at;
        socklen_t len = sizeof(at);
        int late = socket(AF_INET, SOCK_STREAM, 0);

        CHECK(getsockname(l, (struct sockaddr *)&at, &len) == 0);
        CHECK(connect(late, (struct sockaddr *)&at, len) == 0);
        CHECK(epoll_wait(epfd, &got, 1, -1) == 1 && accept(l, NULL, NULL) >= 0);
    }
    CHECK(unlink("text") == 0 && unlink("script") == 0 && unlink("loop") == 0);
    CHECK(rmdir("a/name") == 0 && rmdir("a") == 0 && chdir("/") == 0 && rmdir(folder) == 0);

    /* What starts at last finds no signal of a child that it does not have. */
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGCHLD) == 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK((signals_fd = signalfd(-1, &set, SFD_NONBLOCK)) >= 0);
    for (char bytes[sizeof(struct signalfd_siginfo)]; read(signals_fd, bytes, sizeof(bytes)) > 0;)
        ;
    free(too_long);
    execl("/bin/sh", "sh", "-c", "/bin/grep -E '^(Sig|Shd)Pnd:.*[1-9a-f]' /proc/$$/status; exit 0", NULL);
    CHECK(false);
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
