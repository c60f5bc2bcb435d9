/* SPDX-License-Identifier: Apache-2.0 */
/* getsockopt() and setsockopt(). */
#include "pace.h"
#include "show.h"
#include "slots.h"

/* found.txt counts these rows: new ones come last. Reading TCP_QUICKACK is left out: the kernel changes it. */
const struct oracle_option oracle_options[] = {
#define O(level, name, ...) { #name, level, name, { __VA_ARGS__ } }
    O(SOL_SOCKET, SO_ERROR, 0, 1, 0, 0),       O(SOL_SOCKET, SO_REUSEADDR, 1, 0, 1, 1),
    O(SOL_SOCKET, SO_REUSEPORT, 1, 0, 1, 1),   O(SOL_SOCKET, SO_ACCEPTCONN, 0, 0, 0, 0),
    O(SOL_SOCKET, SO_KEEPALIVE, 1, 0, 1, 7),   O(SOL_SOCKET, SO_BROADCAST, 1, 0, 1, 1),
    O(IPPROTO_TCP, TCP_CORK, 1, 0, 1, 0),
    O(IPPROTO_TCP, TCP_KEEPIDLE, 10, 0, 9, 99999), O(IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 90000, -1, 0),
    O(IPPROTO_IP, IP_TTL, 9, 0, 256, -1),      O(IPPROTO_IP, IP_TOS, 8, 3, 0, 255),
    O(IPPROTO_IP, IP_PKTINFO, 1, 0, 1, 1),     O(IPPROTO_IPV6, IPV6_V6ONLY, 1, 0, 1, 0),
    O(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9, -1, 300, 64), O(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, 0, 1, 1),
    O(SOL_SOCKET, SO_RCVLOWAT, 1, 100, 3000, 0), O(SOL_SOCKET, SO_TIMESTAMP, 1, 0, 1, 1),
    O(SOL_SOCKET, SO_TIMESTAMPNS, 1, 0, 1, 1), O(IPPROTO_IP, IP_RECVTTL, 1, 0, 1, 1),
    O(IPPROTO_IP, IP_RECVTOS, 1, 0, 1, 1),     O(IPPROTO_IP, IP_RECVERR, 1, 0, 1, 1),
    O(IPPROTO_IPV6, IPV6_RECVERR, 1, 0, 1, 1), O(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, 0, 1, 1),
    O(IPPROTO_IPV6, IPV6_RECVTCLASS, 1, 0, 1, 1), O(IPPROTO_IPV6, IPV6_TCLASS, 8, 3, 255, -1),
    O(SOL_SOCKET, SO_OOBINLINE, 1, 0, 1, 1),
    O(IPPROTO_TCP, TCP_KEEPINTVL, 10, 0, 9, 99999), O(IPPROTO_TCP, TCP_KEEPCNT, 3, 0, 127, 128),
    O(IPPROTO_TCP, TCP_SYNCNT, 3, 0, 127, 128), O(SOL_SOCKET, SO_TYPE, 1, 0, 1, 1),
    O(SOL_SOCKET, SO_PROTOCOL, 6, 0, 17, 1),   O(SOL_SOCKET, SO_DOMAIN, 2, 0, 10, 1),
    O(IPPROTO_IP, IP_MULTICAST_TTL, 9, 0, 256, -1), O(IPPROTO_IP, IP_MULTICAST_LOOP, 1, 0, 7, -1),
    O(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9, -1, 300, 0), O(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, 0, 1, 0),
    /* (Not what would refuse a datagram: the loopback bears more than our wire.) */
    O(IPPROTO_IP, IP_MTU_DISCOVER, 0, 1, 5, 6), O(IPPROTO_IPV6, IPV6_MTU_DISCOVER, 0, 1, 5, -1),
    O(IPPROTO_IPV6, IPV6_DONTFRAG, 0, 0, 0, 0),
};
const int oracle_options_count = sizeof(oracle_options) / sizeof(oracle_options[0]);

void step_option(const struct step *s)
{
    const struct oracle_option *o = &oracle_options[s->a];
    int value = -1;
    socklen_t len = sizeof(value);

    if (s->op == OP_SETOPT) {
        say(set_int(number(s->slot), o->level, o->number, s->b));
        return;
    }
    if (!say(sys.getsockopt(number(s->slot), o->level, o->number, &value, &len)))
        return;
    if (o->number == SO_ERROR && o->level == SOL_SOCKET && value)
        fprintf(trace, " %s", error_name(value));
    else
        fprintf(trace, " %d", value);
}

void step_linger(const struct step *s)
{
    struct linger set = { .l_onoff = s->a, .l_linger = s->b }, got = { 0 };
    socklen_t len = sizeof(got);

    say(sys.setsockopt(number(s->slot), SOL_SOCKET, SO_LINGER, &set, sizeof(set)));
    if (say(sys.getsockopt(number(s->slot), SOL_SOCKET, SO_LINGER, &got, &len)))
        fprintf(trace, " {%d, %d}", got.l_onoff, got.l_linger);
}

int tcp_state(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof(info);

    return sys.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ? -1 : info.tcpi_state;
}

/* Nothing of ours waits for an acknowledgement of its end, which the peer may delay. */
static bool has_settled(int fd)
{
    int state = tcp_state(fd);

    return state != TCP_FIN_WAIT1 && state != TCP_CLOSING && state != TCP_LAST_ACK;
}

void step_tcp_state(const struct step *s)
{
    static const char *const names[] = { "none",       "ESTABLISHED", "SYN_SENT",   "SYN_RECV", "FIN_WAIT1",
                                         "FIN_WAIT2",  "TIME_WAIT",   "CLOSE",      "CLOSE_WAIT", "LAST_ACK",
                                         "LISTEN",     "CLOSING" };
    int state;

    pace_until(has_settled, number(s->slot));
    state = tcp_state(number(s->slot));
    if (state < 0)
        say(-1);
    else
        fprintf(trace, " = %s", state <= TCP_CLOSING ? names[state] : "?");
}
