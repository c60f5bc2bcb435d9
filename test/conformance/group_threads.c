/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that share a socket: who is woken, and what becomes of a blocked call when another one closes. */
#include "harness.h"

#include <stdatomic.h>
#include <sys/syscall.h>

const char group_name[] = "threads";

#define WORKERS 3
#define LONG_MS 4000
#define RETURNS_MS 80 /* a call that an act of another thread ends has returned by then */

struct worker {
    pthread_t thread;
    _Atomic pid_t id;
    int fd, ep;
    long (*call)(struct worker *worker);
    long result;
    int error;
    atomic_bool done;
};

static void *work(void *argument)
{
    struct worker *w = argument;

    atomic_store(&w->id, (pid_t)syscall(SYS_gettid));
    w->result = w->call(w);
    w->error = errno;
    atomic_store(&w->done, true);
    return NULL;
}

static bool is_asleep(pid_t id)
{
    char path[64], state = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", id);
    file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    if (file)
        fclose(file);
    return state == 'S';
}

/* Returns when the thread sleeps in its call. */
static void start(struct worker *w, int fd, long (*call)(struct worker *))
{
    uint64_t end = now_ms() + LONG_MS;
    int times = 0;

    atomic_store(&w->id, 0);
    atomic_store(&w->done, false);
    w->fd = fd;
    w->call = call;
    if (pthread_create(&w->thread, NULL, work, w) != 0)
        abort();
    while (times < 5 && !atomic_load(&w->done) && now_ms() < end) {
        times = atomic_load(&w->id) && is_asleep(w->id) ? times + 1 : 0;
        usleep(2000);
    }
}

static bool has_returned(struct worker *w)
{
    for (int i = 0; i < RETURNS_MS && !atomic_load(&w->done); i++)
        usleep(1000);
    return atomic_load(&w->done);
}

/* ---- one listener, several threads ---- */

static void watched_by(struct worker *w, int fd, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.u64 = 1 };

    w->ep = sys.epoll_create1(0);
    SAY(sys.epoll_ctl(w->ep, EPOLL_CTL_ADD, fd, &event));
}

static long wait_briefly(struct worker *w)
{
    struct epoll_event got;

    return sys.epoll_wait(w->ep, &got, 1, 300);
}

static long wait_and_accept(struct worker *w)
{
    struct epoll_event got;

    if (sys.epoll_wait(w->ep, &got, 1, LONG_MS) != 1)
        return 0;
    return sys.accept4(w->fd, NULL, NULL, 0) >= 0;
}

static long wait_and_receive(struct worker *w)
{
    struct epoll_event got;
    char byte;

    if (sys.epoll_wait(w->ep, &got, 1, LONG_MS) != 1)
        return 0;
    return sys.recv(w->fd, &byte, 1, MSG_DONTWAIT);
}

static long accept_blocked(struct worker *w)
{
    return sys.accept4(w->fd, NULL, NULL, 0) >= 0;
}

static long sum(struct worker *w)
{
    long sum = 0;

    for (int i = 0; i < WORKERS; i++) {
        pthread_join(w[i].thread, NULL);
        sum += w[i].result;
    }
    return sum;
}

/* epoll(7): of those who asked exclusively one is woken, and all who did not. */
static void woken(const uint32_t *how, int times)
{
    struct worker w[WORKERS] = { 0 };
    int listening = listener(AF_INET, 8);

    nonblocking(listening);
    for (int i = 0; i < WORKERS; i++) {
        watched_by(&w[i], listening, EPOLLIN | how[i]);
        start(&w[i], listening, wait_briefly);
    }
    for (int i = 0; i < times; i++)
        connected_to(listening, AF_INET);
    NOTE("woken", "%ld", sum(w));
}

static void exclusive_wakes_one(void)
{
    static const uint32_t all[] = { EPOLLEXCLUSIVE, EPOLLEXCLUSIVE, EPOLLEXCLUSIVE };
    static const uint32_t edges[] = { EPOLLEXCLUSIVE | EPOLLET, EPOLLEXCLUSIVE | EPOLLET, EPOLLEXCLUSIVE | EPOLLET };
    static const uint32_t mixed[] = { EPOLLEXCLUSIVE, 0, EPOLLEXCLUSIVE };
    static const uint32_t none[] = { 0, 0, 0 };

    woken(all, 1);
    woken(edges, 1);
    woken(mixed, 1);
    woken(none, 1);
}

/* Who is woken may be busy for long with what it took: the next one is another's. */
static void exclusive_each_takes_one(void)
{
    struct worker w[WORKERS] = { 0 };
    int listening = listener(AF_INET, 8);

    nonblocking(listening);
    for (int i = 0; i < WORKERS; i++) {
        watched_by(&w[i], listening, EPOLLIN | EPOLLEXCLUSIVE);
        start(&w[i], listening, wait_and_accept);
    }
    for (int i = 0; i < WORKERS; i++)
        connected_to(listening, AF_INET);
    NOTE("accepted", "%ld", sum(w));
}

static void exclusive_datagrams(void)
{
    struct worker w[WORKERS] = { 0 };
    struct pair p = udp_pair(AF_INET);

    for (int i = 0; i < WORKERS; i++) {
        watched_by(&w[i], p.server, EPOLLIN | EPOLLEXCLUSIVE);
        start(&w[i], p.server, wait_and_receive);
    }
    for (int i = 0; i < WORKERS; i++)
        sys.send(p.client, "x", 1, 0);
    NOTE("received", "%ld", sum(w));
}

/* Nobody waits in the epoll that is first in the row: the next one's thread is woken. */
static void exclusive_passes_on(void)
{
    struct worker w[WORKERS] = { 0 };
    int listening = listener(AF_INET, 8);

    nonblocking(listening);
    for (int i = 0; i < WORKERS; i++)
        watched_by(&w[i], listening, EPOLLIN | EPOLLEXCLUSIVE);
    start(&w[1], listening, wait_and_accept);
    connected_to(listening, AF_INET);
    pthread_join(w[1].thread, NULL);
    NOTE("accepted", "%ld", w[1].result);
}

static void accepts_at_once(void)
{
    struct worker w[WORKERS] = { 0 };
    int listening = listener(AF_INET, 8);

    for (int i = 0; i < WORKERS; i++)
        start(&w[i], listening, accept_blocked);
    for (int i = 0; i < WORKERS; i++)
        connected_to(listening, AF_INET);
    NOTE("accepted", "%ld", sum(w));
}

/* ---- a blocked call, and what another thread does ---- */

#define CLOSE 77 /* besides SHUT_RD and its like */

static int act(int fd, int what)
{
    return what == CLOSE ? sys.close(fd) : sys.shutdown(fd, what);
}

static void outcome(struct worker *w)
{
    pthread_join(w->thread, NULL);
    NOTE("result", "%ld %s", w->result, w->result < 0 ? error_name(w->error) : "");
}

static long receive(struct worker *w)
{
    char bytes[10];

    return sys.recv(w->fd, bytes, sizeof(bytes), 0);
}

static long look(struct worker *w)
{
    struct pollfd p = { .fd = w->fd, .events = POLLIN };

    return sys.poll(&p, 1, LONG_MS) == 1 ? p.revents : 0;
}

static void receive_and(int what)
{
    struct pair p = tcp_pair(AF_INET);
    struct worker w = { 0 };

    start(&w, p.server, receive);
    SAY(act(p.server, what));
    NOTE("returned", "%d", has_returned(&w));
    sys.send(p.client, "x", 1, MSG_NOSIGNAL);
    outcome(&w);
}
static void receive_close(void) { receive_and(CLOSE); }
static void receive_shut_read(void) { receive_and(SHUT_RD); }
static void receive_shut_write(void) { receive_and(SHUT_WR); }
static void receive_shut_both(void) { receive_and(SHUT_RDWR); }

static void look_and(int what)
{
    struct pair p = tcp_pair(AF_INET);
    struct worker w = { 0 };

    start(&w, p.server, look);
    SAY(act(p.server, what));
    NOTE("returned", "%d", has_returned(&w));
    sys.send(p.client, "x", 1, MSG_NOSIGNAL);
    pthread_join(w.thread, NULL);
    NOTE("events", "%s", event_names((uint32_t)w.result));
}
static void poll_shut_read(void) { look_and(SHUT_RD); }
static void poll_shut_write(void) { look_and(SHUT_WR); }
static void poll_shut_both(void) { look_and(SHUT_RDWR); }

static void datagram_and(int what, bool with_peer)
{
    struct pair p = udp_pair(AF_INET);
    struct address a = address_at(p.server, AF_INET);
    struct worker w = { 0 };
    int from = bound(AF_INET, SOCK_DGRAM, OTHER);

    if (!with_peer)
        sys.connect(p.server, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr));
    start(&w, p.server, receive);
    SAY(act(p.server, what));
    NOTE("returned", "%d", has_returned(&w));
    if (with_peer)
        sys.send(p.client, "x", 1, 0);
    else
        sys.sendto(from, "x", 1, 0, ADDR(a));
    outcome(&w);
}
static void datagram_close(void) { datagram_and(CLOSE, true); }
static void datagram_shut_read(void) { datagram_and(SHUT_RD, true); }
static void datagram_shut_write(void) { datagram_and(SHUT_WR, true); }
static void datagram_shut_alone(void) { datagram_and(SHUT_RD, false); }

static void accept_and(int what)
{
    int listening = listener(AF_INET, 8), client = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct address a = address_at(listening, AF_INET);
    struct worker w = { 0 };

    start(&w, listening, accept_blocked);
    SAY(act(listening, what));
    NOTE("returned", "%d", has_returned(&w));
    SAY(sys.connect(client, ADDR(a))); /* who is blocked still has the listener, if it listens */
    if (what != CLOSE && what != SHUT_WR)
        NOTE("accept", "%d", sys.accept4(listening, NULL, NULL, 0) >= 0);
    outcome(&w);
}
static void accept_close(void) { accept_and(CLOSE); }
static void accept_shut_read(void) { accept_and(SHUT_RD); }
static void accept_shut_write(void) { accept_and(SHUT_WR); }
static void accept_shut_both(void) { accept_and(SHUT_RDWR); }

static struct address full; /* a listener whose queue is full: SYNs get no answer */

static long connect_blocked(struct worker *w)
{
    return sys.connect(w->fd, ADDR(full));
}

static void connect_and(int what)
{
    int listening = listener(AF_INET, 0), waiting[3], fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct worker w = { 0 };

    full = address_at(listening, AF_INET);
    for (int i = 0; i < 3; i++) {
        waiting[i] = sys.socket(AF_INET, SOCK_STREAM, 0);
        nonblocking(waiting[i]);
        sys.connect(waiting[i], ADDR(full));
    }
    settle();
    start(&w, fd, connect_blocked);
    SAY(act(fd, what));
    NOTE("returned", "%d", has_returned(&w));
    for (int i = 0; i < 3; i++)
        reset(waiting[i]);
    sys.close(sys.accept4(listening, NULL, NULL, 0)); /* room for the next SYN */
    outcome(&w);
    if (what != CLOSE)
        SAY_EVENTS(fd);
}
static void connect_close(void) { connect_and(CLOSE); }
static void connect_shut_read(void) { connect_and(SHUT_RD); }
static void connect_shut_write(void) { connect_and(SHUT_WR); }
static void connect_shut_both(void) { connect_and(SHUT_RDWR); }

static long send_blocked(struct worker *w)
{
    static char bytes[100];

    return sys.send(w->fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

static void send_and(int what)
{
    struct pair p = tcp_pair(AF_INET);
    struct worker w = { 0 };
    static char bytes[65536];
    size_t sent = fill(p.client), came = 0;
    bool through;

    start(&w, p.client, send_blocked);
    SAY(act(p.client, what));
    through = has_returned(&w);
    NOTE("returned", "%d", through);
    if (!through)
        sent += 100;
    while (came < sent && await(p.server, POLLIN)) {
        ssize_t n = sys.recv(p.server, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n <= 0)
            break;
        came += (size_t)n;
    }
    outcome(&w);
    NOTE("all came", "%d", came == sent);
    if (what != SHUT_RD)
        SAY_RECV(p.server, 10, 0); /* the end */
}
static void send_close(void) { send_and(CLOSE); }
static void send_shut_read(void) { send_and(SHUT_RD); }
static void send_shut_write(void) { send_and(SHUT_WR); }
static void send_shut_both(void) { send_and(SHUT_RDWR); }

const struct scenario scenarios[] = {
    SCENARIO(exclusive_wakes_one), SCENARIO(exclusive_each_takes_one), SCENARIO(exclusive_datagrams),
    SCENARIO(exclusive_passes_on), SCENARIO(accepts_at_once),
    SCENARIO(receive_close), SCENARIO(receive_shut_read), SCENARIO(receive_shut_write),
    SCENARIO(receive_shut_both), SCENARIO(poll_shut_read), SCENARIO(poll_shut_write),
    SCENARIO(poll_shut_both), SCENARIO(datagram_close), SCENARIO(datagram_shut_read),
    SCENARIO(datagram_shut_write), SCENARIO(datagram_shut_alone), SCENARIO(accept_close),
    SCENARIO(accept_shut_read), SCENARIO(accept_shut_write), SCENARIO(accept_shut_both),
    SCENARIO(connect_close), SCENARIO(connect_shut_read), SCENARIO(connect_shut_write),
    SCENARIO(connect_shut_both), SCENARIO(send_close), SCENARIO(send_shut_read),
    SCENARIO(send_shut_write), SCENARIO(send_shut_both), { 0 },
};
