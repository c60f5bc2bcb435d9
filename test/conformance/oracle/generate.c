/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sequence from a seed. The generator keeps a rough idea of what each slot is, so that most calls
 * make sense; some are drawn without it.
 *
 * Left out, because it differs by nature or is listed in docs/differences.md: how many bytes fit into
 * full buffers (only that they fill, and empty again: OP_FLOOD); time limits of more than a few
 * milliseconds; a socket that connects to itself; an IPv6 socket that speaks to IPv4 first and
 * to IPv6 later; reading TCP_QUICKACK, which the kernel changes by itself; destinations 0.0.0.0 and ::;
 * and, because a socket stays on the stack that its first call chose: UDP sockets on the wildcard that
 * send, and a second bind() to another address.
 */
#include "oracle.h"

const struct oracle_option oracle_options[] = {
#define O(level, name, ...) { #name, level, name, { __VA_ARGS__ } }
    O(SOL_SOCKET, SO_ERROR, 0, 1, 0, 0),       O(SOL_SOCKET, SO_REUSEADDR, 1, 0, 1, 1),
    O(SOL_SOCKET, SO_REUSEPORT, 1, 0, 1, 1),   O(SOL_SOCKET, SO_ACCEPTCONN, 0, 0, 0, 0),
    O(SOL_SOCKET, SO_KEEPALIVE, 1, 0, 1, 7),   O(SOL_SOCKET, SO_OOBINLINE, 1, 0, 1, 1),
    O(IPPROTO_TCP, TCP_CORK, 1, 0, 1, 0),
    O(IPPROTO_TCP, TCP_KEEPIDLE, 10, 0, 9, 99999), O(IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 90000, -1, 0),
    O(IPPROTO_IP, IP_TTL, 9, 0, 256, -1),      O(IPPROTO_IP, IP_TOS, 8, 3, 0, 255),
    O(IPPROTO_IP, IP_PKTINFO, 1, 0, 1, 1),     O(IPPROTO_IPV6, IPV6_V6ONLY, 1, 0, 1, 0),
    O(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9, -1, 300, 64), O(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, 0, 1, 1),
};
const int oracle_options_count = sizeof(oracle_options) / sizeof(oracle_options[0]);

enum guess { NOTHING, FRESH, BOUND, LISTENING, CONNECTED, EPOLL, EVENTFD };

static struct sequence *out;
static int wanted;
static uint64_t state;
static struct {
    enum guess guess;
    int kind;
    bool mapped; /* IPv6, for IPv4 peers alone */
} slots[SLOTS];

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 24) % n);
}

static bool chance(uint32_t percent)
{
    return below(100) < percent;
}

static void emit(enum op op, int slot, int other, int place, int a, int b)
{
    if (out->count < wanted)
        out->steps[out->count++] = (struct step){ (uint8_t)op, (uint8_t)slot, (uint8_t)other,
                                                  (uint8_t)place, a, b };
}

/* A slot of which the guess is `g`; any if there is none, or by chance. */
static int slot_of(enum guess g)
{
    int from = (int)below(SLOTS);

    for (int i = 0; i < SLOTS && !chance(3); i++) {
        int s = (from + i) % SLOTS;

        if (slots[s].guess == g)
            return s;
    }
    return from;
}

static int socket_slot(void)
{
    int from = (int)below(SLOTS);

    for (int i = 0; i < SLOTS; i++) {
        int s = (from + i) % SLOTS;

        if (slots[s].guess >= FRESH && slots[s].guess <= CONNECTED)
            return s;
    }
    return from;
}

static int data_slot(void)
{
    int from = (int)below(SLOTS);

    for (int i = 0; i < SLOTS && !chance(5); i++) {
        int s = (from + i) % SLOTS;

        if (slots[s].guess == CONNECTED || (slots[s].guess == BOUND && slots[s].kind >= UDP4))
            return s;
    }
    return socket_slot();
}

static int some_place(int slot)
{
    if (slots[slot].mapped)
        return MAPPED_HOST;
    return chance(60) ? HOST : chance(60) || slots[slot].guess == FRESH ? OTHER : FOREIGN;
}

/* For bind(): the wildcard, too; for a socket that has been somewhere already, one that is refused. */
static int some_name(int slot)
{
    bool datagram = slots[slot].kind >= UDP4;

    if (slots[slot].guess != FRESH)
        return slots[slot].mapped ? MAPPED_HOST : FOREIGN;
    if (!datagram && chance(20))
        return slots[slot].mapped ? MAPPED_ANY : ANY;
    return some_place(slot);
}

static int home(int slot)
{
    return slots[slot].mapped ? MAPPED_HOST : HOST;
}

static int new_socket(int kind)
{
    int s = slot_of(NOTHING);

    emit(OP_SOCKET, s, NOWHERE, 0, kind, !chance(8));
    slots[s].guess = FRESH;
    slots[s].kind = kind;
    slots[s].mapped = kind_family(kind) == AF_INET6 && chance(20);
    return s;
}

static int new_listener(int kind)
{
    int s = new_socket(kind);

    emit(OP_BIND, s, NOWHERE, chance(70) ? home(s) : some_name(s), 0, 0);
    emit(OP_LISTEN, s, NOWHERE, 0, (int)below(4), 0);
    slots[s].guess = LISTENING;
    return s;
}

static void tcp_pair_of(int kind)
{
    int l = new_listener(kind), c, s;

    c = new_socket(kind == TCP4 && chance(20) ? TCP6 : kind);
    if (slots[c].kind == TCP6)
        slots[c].mapped = kind == TCP4 || slots[l].mapped;
    emit(OP_CONNECT, c, l, home(c), 0, 0);
    slots[c].guess = CONNECTED;
    s = slot_of(NOTHING);
    emit(OP_ACCEPT, l, s, 0, !chance(5), 0);
    slots[s].guess = CONNECTED;
    slots[s].kind = kind;
}

static void udp_pair_of(int kind)
{
    int a = new_socket(kind), b = new_socket(kind);

    slots[a].mapped = slots[b].mapped;
    emit(OP_BIND, a, NOWHERE, home(a), 0, 0);
    emit(OP_CONNECT, b, a, home(b), 0, 0);
    if (chance(50)) /* from where that one sends */
        emit(OP_CONNECT, a, b, slots[a].mapped ? MAPPED_HOST : OTHER, 0, 0);
    slots[a].guess = slots[b].guess = CONNECTED;
}

static void new_epoll(void)
{
    int e = slot_of(NOTHING);

    emit(OP_EPOLL_CREATE, e, NOWHERE, 0, 0, 0);
    slots[e].guess = EPOLL;
    slots[e].kind = -1;
}

static void epoll_change(void)
{
    static const int bits[] = { EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLPRI, EPOLLRDNORM, EPOLLWRNORM };
    int e = slot_of(EPOLL), fd = chance(85) ? socket_slot() : (int)below(SLOTS), op;
    uint32_t events = 0;

    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        events |= chance(i < 2 ? 60 : 20) ? (uint32_t)bits[i] : 0;
    events |= chance(35) ? (uint32_t)EPOLLET : 0;
    events |= chance(20) ? (uint32_t)EPOLLONESHOT : 0;
    events |= chance(6) ? (uint32_t)EPOLLEXCLUSIVE : 0;
    op = chance(60) ? EPOLL_CTL_ADD : chance(70) ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    emit(OP_EPOLL_CTL, e, fd, 0, op, (int)events);
}

static int some_size(int kind)
{
    static const int stream[] = { 0, 1, 1, 7, 100, 100, 1400, 3000 };
    static const int datagram[] = { 0, 1, 7, 100, 100, 1400, 3000, 70000 };

    return kind >= UDP4 ? datagram[below(8)] : stream[below(8)];
}

static int send_flags(void)
{
    int flags = MSG_DONTWAIT;
    uint32_t rare;

    flags |= chance(70) ? MSG_NOSIGNAL : 0;
    flags |= chance(8) ? MSG_MORE : 0;
    rare = below(100);
    flags |= rare < 3 ? MSG_EOR : rare < 10 ? MSG_OOB : 0;
    return flags;
}

static int recv_flags(void)
{
    int flags = chance(95) ? MSG_DONTWAIT : 0;
    uint32_t rare;

    flags |= chance(15) ? MSG_PEEK : 0;
    flags |= chance(10) ? MSG_WAITALL : 0;
    flags |= chance(8) ? MSG_TRUNC : 0;
    rare = below(100);
    flags |= rare < 3 ? MSG_ERRQUEUE : rare < 12 ? MSG_OOB : 0;
    return flags;
}

static void options(enum op op)
{
    int o = (int)below((uint32_t)oracle_options_count);

    emit(op, socket_slot(), NOWHERE, 0, o, oracle_options[o].values[below(4)]);
}

static void other_step(void)
{
    int s = socket_slot();

    switch (below(14)) {
    case 0: emit(OP_DUP, s, slot_of(NOTHING), 0, 0, 0); break;
    case 1:
    case 2: options(OP_SETOPT); break;
    case 3:
    case 4: options(OP_GETOPT); break;
    case 5: emit(OP_NAMES, s, NOWHERE, 0, 0, 0); break;
    case 6: emit(OP_FIONREAD, data_slot(), NOWHERE, 0, 0, 0); break;
    case 7: emit(OP_NONBLOCK, s, NOWHERE, 0, !chance(10), 0); break;
    case 8: emit(OP_POLL, (int)below(SLOTS), NOWHERE, 0, (int)below(0x800) | POLLRDHUP, 0); break;
    case 9: emit(OP_SELECT, 0, NOWHERE, 0, 0, 0); break;
    case 10: emit(OP_FLOOD, slot_of(CONNECTED), NOWHERE, 0, 0, 0); break;
    case 11: {
        int e = slot_of(NOTHING);

        emit(OP_EVENTFD, e, NOWHERE, 0, 0, 0);
        slots[e].guess = EVENTFD;
        break;
    }
    case 12: emit(OP_EVENTFD_WRITE, slot_of(EVENTFD), NOWHERE, 0, 0, 0); break;
    case 13: emit(OP_EVENTFD_READ, slot_of(EVENTFD), NOWHERE, 0, 0, 0); break;
    }
}

static void naming_step(void)
{
    int s = chance(60) ? slot_of(FRESH) : socket_slot();
    int target = chance(50) ? slot_of(LISTENING) : socket_slot();
    int other = chance(85) ? target : NOWHERE;

    switch (below(10)) {
    case 0:
    case 1:
        emit(OP_BIND, s, chance(60) ? NOWHERE : other, some_name(s), 0, 0);
        slots[s].guess = slots[s].guess == FRESH ? BOUND : slots[s].guess;
        break;
    case 2:
        emit(OP_LISTEN, chance(50) ? slot_of(BOUND) : s, NOWHERE, 0, (int)below(4), 0);
        slots[s].guess = LISTENING;
        break;
    case 3: {
        int to = slot_of(NOTHING);

        emit(OP_ACCEPT, slot_of(LISTENING), to, 0, !chance(5), 0);
        slots[to].guess = CONNECTED;
        slots[to].kind = slots[s].kind;
        break;
    }
    case 4: emit(OP_DISCONNECT, data_slot(), NOWHERE, 0, 0, 0); break;
    default:
        if (other == s)
            other = NOWHERE;
        emit(OP_CONNECT, s, other, chance(70) ? home(s) : some_place(s), 0, chance(50) ? 1 : 0);
        slots[s].guess = CONNECTED;
        break;
    }
}

static void ending_step(void)
{
    int s = chance(70) ? socket_slot() : (int)below(SLOTS);

    switch (below(8)) {
    case 0:
    case 1:
    case 2: emit(OP_SHUTDOWN, data_slot(), NOWHERE, 0, (int)below(3), 0); break;
    case 3: emit(OP_SHUTDOWN, s, NOWHERE, 0, (int)below(3), 0); break;
    case 4:
        emit(OP_RESET, s, NOWHERE, 0, 0, 0);
        slots[s].guess = NOTHING;
        break;
    default:
        emit(OP_CLOSE, s, NOWHERE, 0, 0, 0);
        slots[s].guess = NOTHING;
        break;
    }
}

static void data_step(void)
{
    int s = data_slot(), kind = slots[s].kind;

    if (slots[s].guess == FRESH && kind >= UDP4)
        return;
    switch (below(12)) {
    case 0:
    case 1:
    case 2:
    case 3: emit(OP_SEND, s, NOWHERE, 0, some_size(kind), send_flags()); break;
    case 4:
        emit(OP_SENDTO, s, socket_slot(), chance(70) ? home(s) : some_place(s), some_size(kind), 0);
        break;
    case 5:
    case 6:
    case 7:
    case 8: emit(OP_RECV, s, NOWHERE, 0, some_size(TCP4), recv_flags()); break;
    case 9: emit(OP_RECVMSG, s, NOWHERE, 0, some_size(TCP4), recv_flags()); break;
    case 10: emit(OP_READV, s, NOWHERE, 0, some_size(TCP4), some_size(TCP4)); break;
    case 11: emit(OP_WRITEV, s, NOWHERE, 0, some_size(TCP4), some_size(TCP4)); break;
    }
}

static void beginning(void)
{
    switch (below(8)) {
    case 0:
    case 1: tcp_pair_of(TCP4); break;
    case 2: tcp_pair_of(TCP6); break;
    case 3: udp_pair_of(UDP4); break;
    case 4: udp_pair_of(UDP6); break;
    case 5: new_listener((int)below(2)); break;
    case 6: new_epoll(); break;
    case 7: new_socket((int)below(KINDS)); break;
    }
}

void generate(struct sequence *sequence, uint64_t seed, int length)
{
    memset(sequence, 0, sizeof(*sequence));
    sequence->seed = seed;
    out = sequence;
    wanted = length;
    state = seed * 0x9e3779b97f4a7c15u + 0x1234567;
    for (int i = 0; i < 8; i++)
        below(2);
    memset(slots, 0, sizeof(slots));
    beginning();
    beginning();
    while (sequence->count < length) {
        switch (below(16)) {
        case 0: beginning(); break;
        case 1:
        case 2: naming_step(); break;
        case 3:
        case 4: ending_step(); break;
        case 5:
        case 6: epoll_change(); break;
        case 7:
        case 8: emit(OP_EPOLL_WAIT, slot_of(EPOLL), NOWHERE, 0, 16, 0); break;
        case 9:
        case 10: other_step(); break;
        default: data_step(); break;
        }
    }
}
