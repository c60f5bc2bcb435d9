/* SPDX-License-Identifier: Apache-2.0 */
/* Signals for what happens to a socket: F_SETOWN, F_SETSIG, O_ASYNC (fcntl(2), signal(7)). */
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <sys/syscall.h>

#include "harness.h"

const char group_name[] = "signals";

#define QUEUED SIGRTMIN /* each one arrives */

static volatile int urgents, ios, queued, last_code, last_band, last_fd, last_thread;
static volatile int read_in_handler = -1, handler_got;

static int thread_id(void)
{
    return (int)syscall(SYS_gettid);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    char byte = 0;

    (void)context;
    if (number == QUEUED) {
        last_code = info->si_code;
        last_band = (int)info->si_band;
        last_fd = info->si_fd;
        queued++;
    }
    last_thread = thread_id();
    if (read_in_handler >= 0 && sys.recv(read_in_handler, &byte, 1, MSG_OOB) == 1)
        handler_got = byte;
    if (number == SIGURG)
        urgents++;
    if (number == SIGIO)
        ios++;
    errno = error;
}

static void handle(void)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };

    /* Several scenarios may run in one process. */
    urgents = ios = queued = last_code = last_band = last_fd = last_thread = handler_got = 0;
    read_in_handler = -1;
    setpgid(0, 0); /* a group of its own: signals to the group are nobody else's */
    sigaction(SIGURG, &action, NULL);
    sigaction(SIGIO, &action, NULL);
    sigaction(QUEUED, &action, NULL);
}

/* Until there was one, some seconds at most. Drives what is inline. */
static bool came(const volatile int *count)
{
    uint64_t start = now_ms();

    while (*count == 0 && now_ms() - start < 5000)
        settle();
    return *count > 0;
}

static void note_queued(const char *label)
{
    static const char *const names[] = { "none", "IN", "OUT", "MSG", "ERR", "PRI", "HUP" };

    came(&queued);
    settle(); /* there may be several: the last one is told */
    /* By nature: who is not the kernel may say such a code to its own thread only. */
    if (world.ours && last_code == SI_SIGIO)
        last_code = last_band & EPOLLPRI   ? POLL_PRI
                    : last_band == EPOLLERR ? POLL_ERR
                    : last_band & EPOLLERR  ? POLL_HUP
                    : last_band & EPOLLIN   ? POLL_IN
                                            : POLL_OUT;
    NOTE(label, "%s of %s%s", queued && last_code >= 0 && last_code < 7 ? names[last_code] : "nothing",
         event_names((uint32_t)last_band), last_fd ? "" : " without a descriptor");
    queued = last_code = last_band = 0;
}

static int by_queue(int fd)
{
    SAY(sys.fcntl(fd, F_SETOWN, getpid()));
    SAY(sys.fcntl(fd, F_SETSIG, QUEUED));
    return (int)SAY(sys.fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
}

static void owners(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = thread_id() }, asked = { 0 };
    int number = 0, minus = -getpgrp();

    SAY(sys.fcntl(p.server, F_GETOWN));
    SAY(sys.fcntl(p.server, F_SETOWN, getpid()));
    NOTE("owner", "%d", sys.fcntl(p.server, F_GETOWN) == getpid());
    SAY(sys.fcntl(p.server, F_SETOWN, 0x3ffffff0));
    NOTE("owner still", "%d", sys.fcntl(p.server, F_GETOWN) == getpid());
    SAY(sys.ioctl(p.server, SIOCGPGRP, &number));
    NOTE("SIOCGPGRP", "%d", number == getpid());
    SAY(sys.ioctl(p.server, SIOCSPGRP, &minus));
    SAY(sys.ioctl(p.server, FIOGETOWN, &number));
    NOTE("FIOGETOWN", "%d", number == minus);
    NOTE("F_GETOWN of a group", "%d", sys.fcntl(p.server, F_GETOWN) == minus);
    SAY(sys.fcntl(p.server, F_GETOWN_EX, &asked));
    NOTE("F_GETOWN_EX", "%d %d", asked.type, asked.pid == -minus);
    SAY(sys.fcntl(p.server, F_SETOWN_EX, &owner));
    SAY(sys.fcntl(p.server, F_GETOWN_EX, &asked));
    NOTE("F_GETOWN_EX", "%d %d", asked.type, asked.pid == owner.pid);
    owner.type = 7;
    SAY(sys.fcntl(p.server, F_SETOWN_EX, &owner));
    SAY(sys.fcntl(p.server, F_SETOWN, 0));
    SAY(sys.fcntl(p.server, F_GETOWN));
    SAY(sys.fcntl(p.server, F_GETSIG));
    SAY(sys.fcntl(p.server, F_SETSIG, -1));
    SAY(sys.fcntl(p.server, F_SETSIG, 65));
    SAY(sys.fcntl(p.server, F_SETSIG, 10));
    SAY(sys.fcntl(p.server, F_GETSIG));
    SAY(sys.fcntl(p.server, F_SETFL, O_ASYNC));
    NOTE("flags", "%d", (sys.fcntl(p.server, F_GETFL) & O_ASYNC) != 0);
    number = 0;
    SAY(sys.ioctl(p.server, FIOASYNC, &number));
    NOTE("flags", "%d", (sys.fcntl(p.server, F_GETFL) & O_ASYNC) != 0);
    number = 1;
    SAY(sys.ioctl(p.listening, FIOASYNC, &number));
    NOTE("flags", "%d", (sys.fcntl(p.listening, F_GETFL) & O_ASYNC) != 0);
    number = connected_to(p.listening, AF_INET);
    await(p.listening, POLLIN);
    number = sys.accept4(p.listening, NULL, NULL, 0);
    NOTE("flags of an accepted one", "%d", (sys.fcntl(number, F_GETFL) & O_ASYNC) != 0);
}

static void send_urgent(void *fd)
{
    sys.send(*(int *)fd, "u", 1, MSG_OOB);
}

/* The handler reads the byte while the program sleeps in ppoll(). */
static void urgent(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct pollfd fds = { .fd = p.server, .events = POLLIN };
    struct timespec limit = { .tv_sec = 8 };
    sigset_t block, before;

    handle();
    sigemptyset(&block);
    sigaddset(&block, SIGURG);
    pthread_sigmask(SIG_BLOCK, &block, &before);
    SAY(sys.fcntl(p.server, F_SETOWN, getpid()));
    read_in_handler = p.server;
    later(20, send_urgent, &p.client);
    SAY(sys.ppoll(&fds, 1, &limit, &before));
    join();
    NOTE("signals", "%d, io %d", urgents, ios);
    settle();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    NOTE("byte", "%c", handler_got ? handler_got : '-');
    SAY_EVENTS(p.server);
}

static void urgent_without_owner(void)
{
    struct pair p = tcp_pair(AF_INET);

    handle();
    send_urgent(&p.client);
    await(p.server, POLLPRI);
    settle();
    NOTE("signals", "%d, io %d", urgents, ios);
}

/* To whom: a group, a thread. */
static void urgent_to_others(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = thread_id() };

    handle();
    SAY(sys.fcntl(p.server, F_SETOWN, -getpgrp()));
    send_urgent(&p.client);
    NOTE("group", "%d", came(&urgents));
    settle();
    urgents = 0;
    SAY(sys.fcntl(p.server, F_SETOWN_EX, &owner));
    send_urgent(&p.client);
    NOTE("thread", "%d", came(&urgents));
    NOTE("that one", "%d", last_thread == owner.pid);
}

static void plain(void)
{
    struct pair p = tcp_pair(AF_INET);
    int fd;

    handle();
    SAY(sys.fcntl(p.server, F_SETOWN, getpid()));
    sys.send(p.client, "x", 1, 0);
    await(p.server, POLLIN);
    settle();
    NOTE("not asked for", "%d", ios);
    SAY(sys.fcntl(p.server, F_SETFL, O_ASYNC));
    sys.send(p.client, "x", 1, 0);
    NOTE("data", "%d", came(&ios));
    SAY(sys.fcntl(p.server, F_SETFL, 0));
    settle();
    ios = 0;
    sys.send(p.client, "x", 1, 0);
    settle();
    NOTE("not any more", "%d", ios);
    SAY(sys.fcntl(p.listening, F_SETOWN, getpid()));
    SAY(sys.fcntl(p.listening, F_SETFL, O_ASYNC));
    fd = connected_to(p.listening, AF_INET);
    NOTE("connection", "%d", came(&ios));
    SAY(sys.close(fd));
}

static void with_more_to_say(void)
{
    struct pair p = tcp_pair(AF_INET), q = tcp_pair(AF_INET6);

    handle();
    by_queue(p.server);
    sys.send(p.client, "x", 1, 0);
    note_queued("data");
    NOTE("descriptor", "%d", last_fd == p.server);
    send_urgent(&p.client);
    came(&urgents);
    note_queued("urgent");
    NOTE("urgent", "%d", urgents);
    sys.shutdown(p.client, SHUT_WR);
    note_queued("end");
    by_queue(q.server);
    reset(q.client);
    note_queued("reset");
}

static void of_connecting(void)
{
    int listening = listener(AF_INET, 4), fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct address a = address_at(listening, AF_INET);

    handle();
    by_queue(fd);
    SAY(sys.connect(fd, ADDR(a)));
    note_queued("connected");
    sys.close(listening);
    settle();
    fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    queued = 0;
    by_queue(fd);
    sys.connect(fd, ADDR(a));
    note_queued("refused");
}

static void of_datagrams(void)
{
    struct pair p = udp_pair(AF_INET);

    handle();
    by_queue(p.server);
    sys.send(p.client, "x", 1, 0);
    note_queued("datagram");
    SAY(sys.close(p.server));
}

static void of_room(void)
{
    struct pair p = tcp_pair(AF_INET);
    static char data[65536];
    int zero = 0;

    handle();
    by_queue(p.client);
    fill(p.client);
    settle();
    queued = 0;
    SAY(sys.ioctl(p.client, SIOCOUTQ, &zero));
    nonblocking(p.server);
    for (int i = 0; i < 2000 && queued == 0; i++) {
        if (sys.recv(p.server, data, sizeof(data), 0) < 0)
            sys.poll(&(struct pollfd){ .fd = p.server, .events = POLLIN }, 1, 20);
    }
    note_queued("room");
}

const struct scenario scenarios[] = {
    SCENARIO(owners), SCENARIO(urgent), SCENARIO(urgent_without_owner), SCENARIO(urgent_to_others),
    SCENARIO(plain), SCENARIO(with_more_to_say), SCENARIO(of_connecting), SCENARIO(of_datagrams),
    SCENARIO(of_room), { 0 },
};
