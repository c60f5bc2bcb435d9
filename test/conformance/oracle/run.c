/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step against `sys`, and what it says. After each step both worlds settle, and the events of
 * all that is open follow on the line.
 */
#include <arpa/inet.h>

#include "../worlds.h"
#include "oracle.h"
#include "pronghorn.h"
#include "show.h"

#define BLOCK_US 10000 /* time limit of blocking sockets: none waits for ever */
#define FLOOD_MAX (64u << 20)

enum holds { NONE, SOCKET, EPOLL, EVENTFD };

static struct slot {
    int fd;
    enum holds holds;
    bool stream;
    uint32_t sent; /* position in the alphabet */
} slots[SLOTS];

static uint8_t buffer[1 << 17];

/* ---- addresses ---- */

static struct address address_in(int family, int place, int port)
{
    static const char *const v4[] = { "10.0.0.1", "10.0.0.2", "0.0.0.0", "192.0.2.77", "10.0.0.1", "0.0.0.0" };
    static const char *const v6[] = { "fd00::1", "fd00::2", "::", "2001:db8::77", "::ffff:10.0.0.1", "::ffff:0.0.0.0" };
    struct address a = { 0 };

    a.any.sa_family = (sa_family_t)family;
    a.in.sin_port = htons((uint16_t)port); /* at the same place in both families */
    if (family == AF_INET)
        inet_pton(AF_INET, v4[place % 6], &a.in.sin_addr);
    else
        inet_pton(AF_INET6, v6[place % 6], &a.in6.sin6_addr);
    a.len = family == AF_INET ? sizeof(a.in) : sizeof(a.in6);
    return a;
}

static int number(int slot)
{
    return slot < SLOTS ? slots[slot].fd : -1;
}

/* Of the step's slot's family, with the port of `other` or the number `b`. */
static struct address target(const struct step *s)
{
    int family = AF_INET, port = s->b;
    socklen_t len = sizeof(family);

    if (number(s->slot) >= 0 && slots[s->slot].holds == SOCKET)
        sys.getsockopt(number(s->slot), SOL_SOCKET, SO_DOMAIN, &family, &len);
    if (s->other != NOWHERE)
        port = number(s->other) < 0 || slots[s->other].holds != SOCKET ? 1 : port_of(number(s->other));
    return address_in(family, s->place, port ? port : s->op == OP_BIND ? 0 : 1);
}

/* ---- slots ---- */

static void put(int slot, int fd, enum holds holds)
{
    int type = 0;
    socklen_t len = sizeof(type);

    if (slots[slot].fd >= 0)
        (slots[slot].holds == EVENTFD ? close : sys.close)(slots[slot].fd);
    slots[slot] = (struct slot){ .fd = fd, .holds = fd < 0 ? NONE : holds };
    if (fd >= 0 && holds == SOCKET) {
        sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
        slots[slot].stream = type == SOCK_STREAM;
    }
}

static void prepare(int fd, int type)
{
    struct timeval limit = { .tv_usec = BLOCK_US };

    sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (type == SOCK_STREAM) /* our default, not the kernel's */
        set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static void fill_letters(struct slot *slot, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buffer[i] = (uint8_t)('a' + (slot->sent + (uint32_t)i) % 26);
}

/* ---- steps ---- */

static void step_recvmsg(const struct step *s)
{
    struct sockaddr_storage from = { 0 };
    uint8_t control[256];
    struct iovec iov = { buffer, (size_t)s->a };
    struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov,
                          .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
    long long got = sys.recvmsg(number(s->slot), &msg, s->b);

    if (!say(got))
        return;
    if (!(s->b & MSG_TRUNC))
        say_bytes(buffer, got);
    fprintf(trace, " flags %x", msg.msg_flags);
    if (msg.msg_namelen)
        say_address(&from);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        fprintf(trace, " cmsg %d/%d (%zu)", c->cmsg_level, c->cmsg_type, c->cmsg_len);
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            say_address(&(struct sockaddr_in){ .sin_family = AF_INET,
                                               .sin_addr = ((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr });
        else if (c->cmsg_level == IPPROTO_IP || c->cmsg_level == IPPROTO_IPV6)
            fprintf(trace, " %02x", *CMSG_DATA(c));
    }
}

static void step_names(int fd)
{
    struct sockaddr_storage local = { 0 }, peer = { 0 };
    socklen_t local_len = sizeof(local), peer_len = sizeof(peer);

    if (say(sys.getsockname(fd, (void *)&local, &local_len)))
        say_address(&local);
    fprintf(trace, " ->");
    if (say(sys.getpeername(fd, (void *)&peer, &peer_len)))
        say_address(&peer);
}

/* Sends until nothing more goes, shows what holds then, and reads everything everywhere. */
static void step_flood(const struct step *s)
{
    size_t sum = 0;
    ssize_t n = 0;

    if (number(s->slot) < 0 || !slots[s->slot].stream)
        return;
    memset(buffer, 'F', sizeof(buffer));
    for (int idle = 0; idle < 3 && sum < FLOOD_MAX;) {
        n = sys.send(number(s->slot), buffer, sizeof(buffer), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            break;
        if (n < 0) {
            idle++;
            settle();
        } else {
            idle = 0;
            sum += (size_t)n;
        }
    }
    say(n);
    if (sum == 0)
        return;
    for (int round = 0; round < 3;) {
        bool any = false;

        for (int i = 0; i < SLOTS; i++) {
            while (slots[i].fd >= 0 && slots[i].stream && slots[i].holds == SOCKET &&
                   (n = sys.recv(slots[i].fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
                any = true;
        }
        settle();
        round = any ? 0 : round + 1;
    }
}

static void step_select(void)
{
    fd_set in, out, except;
    struct timeval none = { 0 };
    int top = -1;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].fd < 0 || slots[i].holds == EPOLL || slots[i].fd >= FD_SETSIZE)
            continue;
        FD_SET(slots[i].fd, &in);
        FD_SET(slots[i].fd, &out);
        FD_SET(slots[i].fd, &except);
        top = slots[i].fd > top ? slots[i].fd : top;
    }
    if (!say(sys.select(top + 1, &in, &out, &except, &none)))
        return;
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].fd < 0 || slots[i].holds == EPOLL || slots[i].fd >= FD_SETSIZE)
            continue;
        fprintf(trace, " s%d:%s%s%s", i, FD_ISSET(slots[i].fd, &in) ? "r" : "",
                FD_ISSET(slots[i].fd, &out) ? "w" : "", FD_ISSET(slots[i].fd, &except) ? "x" : "");
    }
}

static int by_data(const void *a, const void *b)
{
    const struct epoll_event *x = a, *y = b;

    return x->data.u64 < y->data.u64 ? -1 : x->data.u64 > y->data.u64;
}

static void step_epoll_wait(const struct step *s)
{
    struct epoll_event got[32];
    int count = sys.epoll_wait(number(s->slot), got, s->a, 0);

    if (!say(count))
        return;
    qsort(got, (size_t)count, sizeof(got[0]), by_data);
    for (int i = 0; i < count; i++)
        fprintf(trace, " [s%d %s]", (int)got[i].data.u64, event_names(got[i].events));
}

static void step_option(const struct step *s)
{
    const struct oracle_option *o = &oracle_options[s->a];
    int value = -1;
    socklen_t len = sizeof(value);

    if (s->op == OP_SETOPT) {
        say(set_int(number(s->slot), o->level, o->number, s->b));
        return;
    }
    if (say(sys.getsockopt(number(s->slot), o->level, o->number, &value, &len)))
        fprintf(trace, " %s", o->number == SO_ERROR && o->level == SOL_SOCKET && value
                                  ? error_name(value)
                                  : (snprintf((char *)buffer, 32, "%d", value), (char *)buffer));
}

static void step_data(const struct step *s)
{
    struct slot *slot = &slots[s->slot];
    struct iovec iov[2] = { { buffer, (size_t)s->a }, { buffer + s->a, (size_t)s->b } };
    struct address to;
    long long n;

    switch (s->op) {
    case OP_SEND:
        fill_letters(slot, s->a);
        n = sys.send(slot->fd, buffer, (size_t)s->a, s->b);
        break;
    case OP_SENDTO:
        to = target(s);
        fill_letters(slot, s->a);
        n = sys.sendto(slot->fd, buffer, (size_t)s->a, MSG_DONTWAIT, ADDR(to));
        break;
    case OP_WRITEV:
        fill_letters(slot, s->a + s->b);
        n = sys.writev(slot->fd, iov, 2);
        break;
    case OP_READV:
        if (say(n = sys.readv(slot->fd, iov, 2)))
            say_bytes(buffer, n);
        return;
    default:
        if (say(n = sys.recv(slot->fd, buffer, (size_t)s->a, s->b)) && !(s->b & MSG_TRUNC))
            say_bytes(buffer, n);
        return;
    }
    if (say(n))
        slot->sent += (uint32_t)n;
}

static void step_new(const struct step *s)
{
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof(from);
    int fd;

    if (s->op == OP_SOCKET) {
        put(s->slot, -1, NONE);
        fd = sys.socket(kind_family(s->a), kind_type(s->a) | (s->b ? SOCK_NONBLOCK : 0), 0);
        put(s->slot, fd, SOCKET);
        prepare(fd, kind_type(s->a));
        say_fd(fd);
    } else if (s->op == OP_ACCEPT) {
        fd = sys.accept4(number(s->slot), (void *)&from, &len, s->a ? SOCK_NONBLOCK : 0);
        if (say_fd(fd)) {
            say_address(&from);
            put(s->other, fd, SOCKET);
        }
    } else if (s->op == OP_DUP) {
        if (s->other == s->slot || slots[s->slot].holds != SOCKET)
            return;
        fd = sys.fcntl(number(s->slot), F_DUPFD, 0);
        if (say_fd(fd))
            put(s->other, fd, SOCKET);
    } else if (s->op == OP_EPOLL_CREATE) {
        put(s->slot, -1, NONE);
        fd = sys.epoll_create1(0);
        put(s->slot, fd, EPOLL);
        say_fd(fd);
    } else {
        put(s->slot, eventfd(0, EFD_NONBLOCK), EVENTFD);
    }
}

static void step_close(const struct step *s)
{
    struct linger none = { .l_onoff = 1 };
    int fd = number(s->slot);

    if (s->op == OP_RESET)
        sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    if (slots[s->slot].holds == EVENTFD)
        put(s->slot, -1, NONE);
    else
        say(sys.close(fd));
    slots[s->slot] = (struct slot){ .fd = -1 };
}

static void run_step(const struct step *s)
{
    int fd = number(s->slot);
    struct address a;

    switch ((enum op)s->op) {
    case OP_SOCKET:
    case OP_ACCEPT:
    case OP_DUP:
    case OP_EPOLL_CREATE:
    case OP_EVENTFD: step_new(s); break;
    case OP_BIND:
        a = target(s);
        say(sys.bind(fd, ADDR(a)));
        break;
    case OP_LISTEN: say(sys.listen(fd, s->a)); break;
    case OP_CONNECT:
        a = target(s);
        say(sys.connect(fd, ADDR(a)));
        break;
    case OP_DISCONNECT:
        a = (struct address){ .len = sizeof(struct sockaddr_in6) };
        say(sys.connect(fd, ADDR(a)));
        break;
    case OP_SEND:
    case OP_SENDTO:
    case OP_RECV:
    case OP_READV:
    case OP_WRITEV:
        if (slots[s->slot].holds != EVENTFD)
            step_data(s);
        break;
    case OP_RECVMSG: step_recvmsg(s); break;
    case OP_SHUTDOWN: say(sys.shutdown(fd, s->a)); break;
    case OP_CLOSE:
    case OP_RESET: step_close(s); break;
    case OP_SETOPT:
    case OP_GETOPT: step_option(s); break;
    case OP_NAMES: step_names(fd); break;
    case OP_FIONREAD: {
        int bytes = -1, mark = -1;

        if (slots[s->slot].holds != SOCKET)
            break;
        if (say(sys.ioctl(fd, FIONREAD, &bytes)))
            fprintf(trace, " %d", bytes);
        if (say(sys.ioctl(fd, SIOCATMARK, &mark)))
            fprintf(trace, " mark %d", mark);
        break;
    }
    case OP_NONBLOCK:
        if (slots[s->slot].holds == SOCKET)
            say(sys.fcntl(fd, F_SETFL, s->a ? O_NONBLOCK : 0));
        break;
    case OP_POLL: {
        struct pollfd p = { .fd = fd, .events = (short)s->a };

        if (slots[s->slot].holds != EPOLL && say(sys.poll(&p, 1, 0)))
            fprintf(trace, " %s", event_names((uint16_t)p.revents));
        break;
    }
    case OP_SELECT: step_select(); break;
    case OP_FLOOD: step_flood(s); break;
    case OP_EPOLL_CTL: {
        struct epoll_event event = { .events = (uint32_t)s->b, .data.u64 = s->other };

        if (s->other < SLOTS && slots[s->other].holds == EPOLL && s->other != s->slot)
            break;
        say(sys.epoll_ctl(fd, s->a, number(s->other), &event));
        break;
    }
    case OP_EPOLL_WAIT: step_epoll_wait(s); break;
    case OP_EVENTFD_WRITE:
        if (slots[s->slot].holds == EVENTFD)
            say(sys.write(fd, &(uint64_t){ 1 }, 8));
        break;
    case OP_EVENTFD_READ:
        if (slots[s->slot].holds == EVENTFD)
            say(sys.read(fd, buffer, 8));
        break;
    case OP_COUNT: break;
    }
}

/* In-process packets need no time, only turns; the kernel's loopback delivers within the call. */
static void settle_step(void)
{
    if (world_patience > 1) {
        settle();
    } else if (!world.ours) {
        usleep(20);
    } else if (world.is_inline) {
        for (int idle = 0; idle < 6;)
            idle = ph_turn() > 0 ? 0 : idle + 1;
    } else {
        usleep(300);
    }
}

static void say_all_events(void)
{
    for (int i = 0; i < SLOTS; i++) {
        struct pollfd p = { .fd = slots[i].fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP };

        if (slots[i].holds != SOCKET)
            continue;
        sys.poll(&p, 1, 0);
        fprintf(trace, " | s%d %s", i, event_names((uint16_t)p.revents));
    }
}

void run_sequence(const struct sequence *sequence, FILE *to)
{
    show_begin(to);
    for (int i = 0; i < SLOTS; i++)
        slots[i] = (struct slot){ .fd = -1 };
    for (int i = 0; i < sequence->count; i++) {
        char line[256] = "";

        script_line(line, sizeof(line), &sequence->steps[i]);
        fprintf(trace, "%s", line);
        run_step(&sequence->steps[i]);
        settle_step();
        say_all_events();
        fprintf(trace, "\n");
        fflush(trace);
    }
    for (int i = 0; i < SLOTS; i++) {
        struct linger none = { .l_onoff = 1 };

        if (slots[i].holds == SOCKET)
            sys.setsockopt(slots[i].fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        put(i, -1, NONE);
    }
    settle_step();
}
