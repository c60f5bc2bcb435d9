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
 * send, and a second bind() to another address. The files that run the steps say what they leave out.
 */
#include "draw.h"
#include "oracle.h"

#define OPTION_REUSEADDR 1 /* the row of oracle_options */

enum guess { NOTHING, FRESH, BOUND, LISTENING, CONNECTED, EPOLL, EVENTFD };

static struct sequence *out;
static int wanted;
static struct {
    enum guess guess;
    int kind;
    bool mapped; /* IPv6, for IPv4 peers alone */
} slots[SLOTS];

static void emit3(enum op op, int slot, int other, int place, int a, int b, int c)
{
    if (out->count < wanted)
        out->steps[out->count++] = (struct step){ (uint8_t)op, (uint8_t)slot, (uint8_t)other,
                                                  (uint8_t)place, a, b, c };
}

static void emit(enum op op, int slot, int other, int place, int a, int b)
{
    emit3(op, slot, other, place, a, b, 0);
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
    if (chance(4))
        return GROUP_A + (int)below(2);
    return chance(60) ? HOST : chance(60) || slots[slot].guess == FRESH ? OTHER : FOREIGN;
}

/* For bind(): the wildcard, too; for a socket that has been somewhere already, one that is refused. */
static int some_name(int slot)
{
    bool datagram = slots[slot].kind >= UDP4;

    if (slots[slot].guess != FRESH)
        return FOREIGN;
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
    slots[s].mapped = kind == TCP6 && slots[l].mapped;
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

/* Two sockets with a port of their own, which may be members, and one that sends to groups. */
static void group_of(int kind)
{
    int first = -1, sender;

    for (int i = 0; i < 2; i++) {
        int s = new_socket(kind);

        slots[s].mapped = false;
        emit(OP_SETOPT, s, NOWHERE, 0, OPTION_REUSEADDR, 1);
        emit(OP_BIND, s, first < 0 ? NOWHERE : first, chance(60) ? ANY : GROUP_A + (int)below(2), 0, 0);
        emit3(OP_MEMBERSHIP, s, NOWHERE, (int)below(2), chance(70) ? 0 : 2, (int)below(2), (int)below(2));
        slots[s].guess = BOUND;
        first = first < 0 ? s : first;
    }
    sender = new_socket(kind);
    slots[sender].mapped = false;
    emit(OP_BIND, sender, NOWHERE, chance(50) ? HOST : OTHER, 0, 0);
    emit(OP_SENDTO, sender, first, GROUP_A + (int)below(2), some_size(true), 0);
    slots[sender].guess = BOUND;
}

static void group_step(void)
{
    int s = data_slot(), from = data_slot();

    switch (below(8)) {
    case 0: emit(OP_MULTICAST_IF, s, NOWHERE, chance(90) ? (int)below(3) : FOREIGN, 0, 0); break;
    case 1:
    case 2:
    case 3: emit3(OP_MEMBERSHIP, s, NOWHERE, (int)below(2), (int)below(6), (int)below(2), (int)below(4)); break;
    default: emit(OP_SENDTO, from, s, GROUP_A + (int)below(2), some_size(slots[from].kind >= UDP4), 0); break;
    }
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
    int e = slot_of(EPOLL), fd, op;

    fd = chance(8) ? slot_of(EPOLL) : chance(85) ? socket_slot() : (int)below(SLOTS);
    op = chance(60) ? EPOLL_CTL_ADD : chance(70) ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    emit(OP_EPOLL_CTL, e, fd, 0, op, (int)epoll_bits());
}

static void options(enum op op)
{
    int o = (int)below((uint32_t)oracle_options_count);

    emit(op, socket_slot(), NOWHERE, 0, o, oracle_options[o].values[below(4)]);
}

/* What is there, whatever it is. */
static int open_slot(void)
{
    int from = (int)below(SLOTS), i = 0;

    while (i < SLOTS - 1 && slots[(from + i) % SLOTS].guess == NOTHING)
        i++;
    return (from + i) % SLOTS;
}

static void duplicate(int s)
{
    int to = chance(70) ? slot_of(NOTHING) : open_slot(), a = (int)below(4);

    if (chance(15))
        s = open_slot();
    if (slots[to].guess == NOTHING)
        emit(OP_DUP, s, to, 0, a == 0, 0);
    else
        emit(chance(50) ? OP_DUP2 : OP_DUP3, s, to, 0, a, 0);
    slots[to] = slots[s];
}

/* Between sockets and files, pipes, other processes. */
static void descriptor_step(void)
{
    int s = data_slot(), size = some_size(false), flags = chance(60) ? SPLICE_F_NONBLOCK : 0;
    int offset = chance(90) ? 0 : 1 + (int)below(2), from = chance(90) ? NOWHERE : data_slot();

    switch (below(5)) {
    case 0: emit(OP_RIGHTS, open_slot(), open_slot(), 0, chance(50), 0); break;
    case 1: emit(OP_SENDFILE, s, from, 0, size, chance(50) ? -1 : (int)below(80000)); break;
    case 2: emit3(OP_SPLICE_OUT, s, NOWHERE, 0, size, flags, offset); break;
    default: emit3(OP_SPLICE_IN, s, NOWHERE, 0, size, flags, offset); break;
    }
}

static void other_step(void)
{
    int s = socket_slot();

    switch (below(25)) {
    case 0: duplicate(s); break;
    case 19:
    case 20:
    case 21: descriptor_step(); break;
    case 22:
    case 23:
    case 24: group_step(); break;
    case 14: emit(OP_LINGER, s, NOWHERE, 0, chance(70), (int)below(3)); break;
    case 15: emit(OP_OUTQ, data_slot(), NOWHERE, 0, 0, 0); break;
    case 16: emit(OP_TCP_STATE, s, NOWHERE, 0, 0, 0); break;
    case 17:
    case 18: options(OP_SETOPT); break;
    case 1:
    case 2: options(OP_SETOPT); break;
    case 3:
    case 4: options(OP_GETOPT); break;
    case 5: emit(OP_NAMES, s, NOWHERE, 0, 0, 0); break;
    case 6: emit(OP_FIONREAD, data_slot(), NOWHERE, 0, 0, 0); break;
    case 7: emit(OP_NONBLOCK, s, NOWHERE, 0, !chance(10), 0); break;
    case 8: emit(OP_POLL, (int)below(SLOTS), NOWHERE, 0, (int)below(0x800) | POLLRDHUP, chance(40)); break;
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
        int to = slot_of(NOTHING), waits = chance(5), from = slot_of(LISTENING);

        emit(OP_ACCEPT, from, to, 0, !waits, 0);
        slots[to].guess = CONNECTED;
        slots[to].kind = slots[s].kind;
        slots[to].mapped = slots[from].mapped;
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
    case 5: {
        int a = (int)below(5); /* the first two close it */

        emit(OP_CLOSE_RANGE, s, NOWHERE, 0, a, 0);
        slots[s].guess = a < 2 ? NOTHING : slots[s].guess;
        break;
    }
    default:
        emit(OP_CLOSE, s, NOWHERE, 0, 0, 0);
        slots[s].guess = NOTHING;
        break;
    }
}

static void send_step(int s)
{
    bool datagram = slots[s].kind >= UDP4;
    int to = chance(70) ? home(s) : some_place(s), size = some_size(datagram), flags = send_flags(datagram);

    switch (below(9)) {
    case 0: emit(OP_SENDTO, s, socket_slot(), to, size, 0); break;
    case 8:
        if (datagram)
            emit(OP_SEND, s, NOWHERE, 0, size, flags);
        else
            emit(OP_SEND_MORE, s, NOWHERE, 0, size, 1 + some_size(false));
        break;
    case 1: emit3(OP_SENDMSG, s, NOWHERE, 0, size, flags, 1 + (int)below(4)); break;
    case 2: emit3(OP_SENDMSG, s, chance(40) ? socket_slot() : NOWHERE, to, size, flags, 1 + (int)below(4)); break;
    case 3: /* urgent marks that follow each other at once may meet in one segment */
        emit3(OP_SENDMMSG, s, NOWHERE, 0, size, flags & ~MSG_OOB, (int)below(5));
        break;
    case 4: emit3(OP_WRITEV, s, NOWHERE, 0, size, 0, some_pieces()); break;
    default: emit(OP_SEND, s, NOWHERE, 0, size, flags); break;
    }
}

static void receive_step(int s)
{
    int size = some_size(false), flags = recv_flags();

    switch (below(8)) {
    case 0:
    case 1: emit3(OP_RECVMSG, s, NOWHERE, 0, size, flags, 1 + (int)below(4)); break;
    case 2: emit3(OP_READV, s, NOWHERE, 0, size, 0, some_pieces()); break;
    case 3:
        flags |= chance(30) ? MSG_WAITFORONE : 0;
        emit3(OP_RECVMMSG, s, NOWHERE, 0, size, flags, (int)below(5));
        break;
    default: emit(OP_RECV, s, NOWHERE, 0, size, flags); break;
    }
}

static void data_step(void)
{
    int s = data_slot();

    if (slots[s].guess == FRESH && slots[s].kind >= UDP4)
        return;
    if (chance(52))
        send_step(s);
    else
        receive_step(s);
}

static void beginning(void)
{
    switch (below(10)) {
    case 0:
    case 1: tcp_pair_of(TCP4); break;
    case 8: group_of(UDP4); break;
    case 9: group_of(UDP6); break;
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
    draw_begin(seed);
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
        case 8: emit(OP_EPOLL_WAIT, slot_of(EPOLL), NOWHERE, 0, 16, (int)below(3)); break;
        case 9:
        case 10: other_step(); break;
        default: data_step(); break;
        }
    }
}
