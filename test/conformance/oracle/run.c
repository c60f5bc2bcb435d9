/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step against `sys`, and what it says. After each step both worlds settle, and the events of
 * all that is open follow on the line.
 */
#include <arpa/inet.h>

#include "../worlds.h"
#include "pace.h"
#include "show.h"
#include "slots.h"

/* ---- addresses ---- */

static struct address address_in(int family, int place, int port)
{
    static const char *const v4[] = { "10.0.0.1", "10.0.0.2", "0.0.0.0", "192.0.2.77",
                                      "10.0.0.1", "0.0.0.0", "239.1.2.3", "239.1.2.4" };
    static const char *const v6[] = { "fd00::1", "fd00::2", "::", "2001:db8::77",
                                      "::ffff:10.0.0.1", "::ffff:0.0.0.0", "ff15::3", "ff15::4" };
    struct address a = { 0 };

    a.any.sa_family = (sa_family_t)family;
    a.in.sin_port = htons((uint16_t)port); /* at the same place in both families */
    if (family == AF_INET)
        inet_pton(AF_INET, v4[place % PLACES], &a.in.sin_addr);
    else
        inet_pton(AF_INET6, v6[place % PLACES], &a.in6.sin6_addr);
    a.len = family == AF_INET ? sizeof(a.in) : sizeof(a.in6);
    return a;
}

static int family_of(int fd)
{
    int family = AF_INET;
    socklen_t len = sizeof(family);

    if (fd >= 0)
        sys.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
    return family;
}

struct address target(const struct step *s)
{
    int family = slots[s->slot].holds == SOCKET ? family_of(number(s->slot)) : AF_INET, port = s->b;

    if (s->other != NOWHERE)
        port = number(s->other) < 0 || slots[s->other].holds != SOCKET ? 1 : port_of(number(s->other));
    return address_in(family, s->place, port ? port : s->op == OP_BIND ? 0 : 1);
}

/* ---- steps ---- */

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

bool is_on_wildcard(int fd)
{
    struct sockaddr_in6 a = { 0 };
    const struct sockaddr_in *in = (void *)&a;
    socklen_t len = sizeof(a);

    if (sys.getsockname(fd, (void *)&a, &len) < 0 || a.sin6_port == 0)
        return false;
    if (a.sin6_family == AF_INET ? IN_MULTICAST(ntohl(in->sin_addr.s_addr)) : IN6_IS_ADDR_MULTICAST(&a.sin6_addr))
        return true; /* nor is a group an address to send from */
    return a.sin6_family == AF_INET ? in->sin_addr.s_addr == 0
                                    : IN6_IS_ADDR_UNSPECIFIED(&a.sin6_addr) ||
                                          (IN6_IS_ADDR_V4MAPPED(&a.sin6_addr) && a.sin6_addr.s6_addr32[3] == 0);
}

bool would_lose_its_peer(const struct step *s)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int fd = number(s->slot);

    if (fd < 0 || slots[s->slot].stream || (family_of(fd) == AF_INET6 && s->place < MAPPED_HOST))
        return false;
    return (s->op == OP_CONNECT ? s->place == FOREIGN : (s->b & MSG_MORE) != 0) &&
           sys.getpeername(fd, (void *)&peer, &len) == 0;
}

/* Left out: to the kernel an IPv6 socket's port is no IPv4 wildcard's, even if it is of a connection of IPv6. */
static bool would_meet_other_family(const struct step *s)
{
    return s->place == ANY && s->other != NOWHERE && slots[s->other].holds == SOCKET &&
           slots[s->slot].holds == SOCKET && family_of(number(s->slot)) == AF_INET &&
           family_of(number(s->other)) == AF_INET6;
}

static void run_step(const struct step *s)
{
    int fd = number(s->slot);
    struct address a;

    switch ((enum op)s->op) {
    case OP_SOCKET:
    case OP_ACCEPT:
    case OP_EPOLL_CREATE:
    case OP_EVENTFD: step_new(s); break;
    case OP_DUP:
    case OP_DUP2:
    case OP_DUP3: step_duplicate(s); break;
    case OP_RIGHTS: step_rights(s); break;
    case OP_SENDFILE:
    case OP_SPLICE_IN:
    case OP_SPLICE_OUT: step_file(s); break;
    case OP_BIND:
        if (would_meet_other_family(s) || (s->place >= GROUP_A && number(s->slot) >= 0 && slots[s->slot].stream))
            break; /* (To the kernel a group is a name for a stream, too.) */
        a = target(s);
        say(sys.bind(fd, ADDR(a)));
        break;
    case OP_LISTEN: say(sys.listen(fd, s->a)); break;
    case OP_CONNECT:
        if (is_on_wildcard(fd) || is_gathering(s->slot) || would_lose_its_peer(s) || !may_reach_group(s))
            break;
        a = target(s);
        say(sys.connect(fd, ADDR(a)));
        break;
    case OP_DISCONNECT:
        /* Of IPv6 the kernel's goes on to take the former peer's datagrams only. */
        if (number(s->slot) >= 0 && !slots[s->slot].stream && family_of(fd) == AF_INET6)
            break;
        a = (struct address){ .len = sizeof(struct sockaddr_in6) };
        say(sys.connect(fd, ADDR(a)));
        break;
    case OP_SEND:
    case OP_SENDTO:
    case OP_SENDMSG:
    case OP_SENDMMSG:
    case OP_SEND_MORE:
    case OP_WRITEV:
    case OP_RECV:
    case OP_RECVMSG:
    case OP_RECVMMSG:
    case OP_READV: step_data(s); break;
    case OP_FLOOD: step_flood(s); break;
    case OP_OUTQ:
    case OP_FIONREAD: step_queues(s); break;
    case OP_SHUTDOWN: say(sys.shutdown(fd, s->a)); break;
    case OP_CLOSE:
    case OP_CLOSE_RANGE:
    case OP_RESET: step_close(s); break;
    case OP_NAMES: step_names(fd); break;
    case OP_NONBLOCK:
        if (slots[s->slot].holds == SOCKET)
            say(sys.fcntl(fd, F_SETFL, s->a ? O_NONBLOCK : 0));
        break;
    case OP_MEMBERSHIP:
    case OP_MULTICAST_IF: step_group(s); break;
    case OP_SETOPT:
    case OP_GETOPT: step_option(s); break;
    case OP_LINGER: step_linger(s); break;
    case OP_TCP_STATE: step_tcp_state(s); break;
    case OP_POLL: step_poll(s); break;
    case OP_SELECT: step_select(); break;
    case OP_EPOLL_CTL: step_epoll_control(s); break;
    case OP_EPOLL_WAIT: step_epoll_wait(s); break;
    case OP_EVENTFD_WRITE:
    case OP_EVENTFD_READ: step_eventfd(s); break;
    case OP_COUNT: break;
    }
}

bool run_sequence(const struct sequence *sequence, FILE *to)
{
    uint64_t began = pace_now_us(), took;

    show_begin(to);
    for (int i = 0; i < SLOTS; i++)
        slots[i] = (struct slot){ .fd = -1 };
    for (int i = 0; i < sequence->count; i++) {
        char line[256] = "";

        script_line(line, sizeof(line), &sequence->steps[i]);
        fprintf(trace, "%s", line);
        run_step(&sequence->steps[i]);
        pace_settle();
        say_all_events();
        fprintf(trace, "\n");
        fflush(trace);
    }
    took = pace_now_us() - began;
    for (int i = 0; i < SLOTS; i++) {
        struct linger none = { .l_onoff = 1 };

        if (slots[i].holds == SOCKET)
            sys.setsockopt(slots[i].fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        slot_put(i, -1, NONE);
    }
    pace_settle();
    return took < PACE_QUICK_US;
}
