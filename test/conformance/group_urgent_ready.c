/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of TCP's urgent data, and when: EPOLLPRI, poll, select, and who waits in recv. */
#include "urgent.h"

const char group_name[] = "urgent_ready";

static void low_water(void)
{
    struct pair p = tcp_pair(AF_INET);

    set_int(p.server, SOL_SOCKET, SO_RCVLOWAT, 3);
    give(&p, "", "U", "ab");
    SAY_STATE(p.server);
    sys.send(p.client, "c", 1, 0);
    settle();
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
}

static void edges(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0);
    struct epoll_event all = { .events = EPOLLIN | EPOLLPRI | EPOLLET, .data.u64 = 1 };
    struct epoll_event urgent = { .events = EPOLLPRI, .data.u64 = 2 };
    struct epoll_event edge = { .events = EPOLLPRI | EPOLLET, .data.u64 = 3 };
    int one = sys.epoll_create1(0), two = sys.epoll_create1(0);

    sys.epoll_ctl(ep, EPOLL_CTL_ADD, p.server, &all);
    sys.epoll_ctl(one, EPOLL_CTL_ADD, p.server, &urgent);
    sys.epoll_ctl(two, EPOLL_CTL_ADD, p.server, &edge);
    give(&p, "", "U", "");
    SAY_EPOLL(ep, 100);
    SAY_EPOLL(ep, 0);
    SAY_EPOLL(one, 100);
    SAY_EPOLL(one, 0);
    SAY_EPOLL(two, 100);
    SAY_EPOLL(two, 0);
    sys.send(p.client, "a", 1, 0);
    settle();
    SAY_EPOLL(ep, 100);
    SAY_EPOLL(one, 0);
    SAY_EPOLL(two, 100);
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY_EPOLL(ep, 0);
    SAY_EPOLL(one, 0);
    SAY_EPOLL(two, 0);
    SAY_RECV(p.server, 9, 0);
    SAY_EPOLL(one, 0);
}

static void give_later(void *argument)
{
    struct pair *p = argument;

    sys.send(p->client, "U", 1, MSG_OOB);
}

static void waiting(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct pollfd urgent = { .fd = p.server, .events = POLLPRI };

    section("poll");
    later(30, give_later, &p);
    SAY(sys.poll(&urgent, 1, 10000));
    NOTE("events", "%s", event_names((uint32_t)urgent.revents));
    join();
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY(sys.poll(&urgent, 1, 0));

    section("recv stops at the mark");
    sys.send(p.client, "abc", 3, 0);
    await(p.server, POLLIN);
    later(30, give_later, &p);
    SAY_RECV(p.server, 9, MSG_WAITALL);
    join();
    SAY_STATE(p.server);
    SAY_RECV(p.server, 1, MSG_OOB);
}

/* Those with numbers beyond FD_SETSIZE poll(). */
static bool is_excepted(int fd, int ms)
{
    struct timeval limit = { .tv_sec = ms / 1000 };
    struct pollfd urgent = { .fd = fd, .events = POLLPRI };
    fd_set except;

    if (world.virtual_numbers)
        return sys.poll(&urgent, 1, ms) > 0;
    FD_ZERO(&except);
    FD_SET(fd, &except);
    return sys.select(fd + 1, NULL, NULL, &except, &limit) == 1 && FD_ISSET(fd, &except);
}

static void selecting(void)
{
    struct pair p = tcp_pair(AF_INET);

    NOTE("is set", "%d", is_excepted(p.server, 0));
    later(30, give_later, &p);
    NOTE("is set", "%d", is_excepted(p.server, 10000));
    join();
    SAY_RECV(p.server, 1, MSG_OOB);
    NOTE("is set", "%d", is_excepted(p.server, 0));
}

const struct scenario scenarios[] = {
    SCENARIO(low_water), SCENARIO(edges), SCENARIO(waiting), SCENARIO(selecting), { 0 },
};
