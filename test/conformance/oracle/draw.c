/* SPDX-License-Identifier: Apache-2.0 */
#include "draw.h"

#include "../harness.h"

static uint64_t state;

void draw_begin(uint64_t seed)
{
    state = seed * 0x9e3779b97f4a7c15u + 0x1234567;
    for (int i = 0; i < 8; i++)
        below(2);
}

uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 24) % n);
}

bool chance(uint32_t percent)
{
    return below(100) < percent;
}

int some_size(bool datagram)
{
    static const int stream_sizes[] = { 0, 1, 1, 7, 100, 100, 1400, 3000 };
    static const int datagram_sizes[] = { 0, 1, 7, 100, 100, 1400, 3000, 70000 };

    return datagram ? datagram_sizes[below(8)] : stream_sizes[below(8)];
}

int some_pieces(void)
{
    return (int)below(5);
}

int send_flags(bool datagram)
{
    int flags = MSG_DONTWAIT;
    uint32_t rare;

    flags |= chance(70) ? MSG_NOSIGNAL : 0;
    flags |= datagram && chance(8) ? MSG_MORE : 0;
    rare = below(100);
    flags |= rare < 3 ? MSG_EOR : rare < 10 ? MSG_OOB : 0;
    return flags;
}

int recv_flags(void)
{
    int flags = chance(95) ? MSG_DONTWAIT : 0;
    uint32_t rare;

    flags |= chance(15) ? MSG_PEEK : 0;
    flags |= chance(10) ? MSG_WAITALL : 0;
    flags |= chance(8) ? MSG_TRUNC : 0;
    rare = below(100);
    flags |= rare < 6 ? MSG_ERRQUEUE : rare < 15 ? MSG_OOB : 0;
    return flags;
}

uint32_t epoll_bits(void)
{
    static const int bits[] = { EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLPRI, EPOLLRDNORM, EPOLLWRNORM };
    uint32_t events = 0;

    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        events |= chance(i < 2 ? 60 : 20) ? (uint32_t)bits[i] : 0;
    events |= chance(35) ? (uint32_t)EPOLLET : 0;
    events |= chance(20) ? (uint32_t)EPOLLONESHOT : 0;
    events |= chance(8) ? (uint32_t)EPOLLEXCLUSIVE : 0;
    return events;
}
