/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that move bytes, and those that ask how many there are. */
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>

#include "pace.h"
#include "show.h"
#include "slots.h"

#define FLOOD_MAX (64u << 20)
#define FLOOD_AGAIN_US 1000000
#define MESSAGES_MAX 4
#define MESSAGE_MAX (1 << 17)

static uint8_t buffer[MESSAGES_MAX][MESSAGE_MAX];

static void fill_letters(struct slot *slot, uint8_t *to, int skip, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)('a' + (slot->sent + (uint32_t)skip + (uint32_t)i) % 26);
}

/* `bytes` in that many pieces, one of them empty. */
static int split(struct iovec *iov, uint8_t *at, int bytes, int pieces)
{
    for (int i = 0; i < pieces; i++) {
        int part = i == pieces - 1 ? bytes : i == 1 ? 0 : bytes / 2;

        iov[i] = (struct iovec){ at, (size_t)part };
        at += part;
        bytes -= part;
    }
    return pieces;
}

/* ---- receiving ---- */

static void say_error(const struct sock_extended_err *e)
{
    const struct sockaddr *offender = SO_EE_OFFENDER(e);

    fprintf(trace, " %s origin %d type %d code %d", error_name((int)e->ee_errno), e->ee_origin, e->ee_type, e->ee_code);
    if (e->ee_origin != SO_EE_ORIGIN_LOCAL) /* of what is too large: its link's MTU, there the loopback's */
        fprintf(trace, " info %u", e->ee_info);
    if (offender->sa_family != AF_UNSPEC)
        say_address(offender);
}

static void say_control(struct msghdr *msg, bool stream)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (stream && c->cmsg_level == SOL_SOCKET)
            continue; /* the kernel has none of what came before anybody in the system asked for times */
        fprintf(trace, " cmsg %d/%d (%zu)", c->cmsg_level, c->cmsg_type, c->cmsg_len);
        if (c->cmsg_level == SOL_SOCKET)
            continue; /* the time differs */
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            say_address(&(struct sockaddr_in){ .sin_family = AF_INET,
                                               .sin_addr = ((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr });
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
            say_address(&(struct sockaddr_in6){ .sin6_family = AF_INET6,
                                                .sin6_addr = ((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_addr });
        else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                 (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
            say_error((void *)CMSG_DATA(c));
        else
            fprintf(trace, " %02x", *CMSG_DATA(c));
    }
}

static void say_message(const struct step *s, struct msghdr *msg, uint8_t *bytes, long long got)
{
    if (!(s->b & MSG_TRUNC))
        say_bytes(bytes, got);
    fprintf(trace, " flags %x", msg->msg_flags & ~MSG_CMSG_CLOEXEC);
    if (msg->msg_namelen)
        say_address(msg->msg_name);
    say_control(msg, slots[s->slot].stream);
}

static void step_recvmsg(const struct step *s)
{
    struct sockaddr_storage from = { 0 };
    uint8_t control[512];
    struct iovec iov[4];
    struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = iov,
                          .msg_control = control, .msg_controllen = sizeof(control) };
    long long got;

    msg.msg_iovlen = (size_t)split(iov, buffer[0], s->a, s->c);
    got = sys.recvmsg(number(s->slot), &msg, s->b);
    if (say(got))
        say_message(s, &msg, buffer[0], got);
}

static void step_recvmmsg(const struct step *s)
{
    struct mmsghdr all[MESSAGES_MAX] = { 0 };
    struct sockaddr_storage from[MESSAGES_MAX] = { 0 };
    uint8_t control[MESSAGES_MAX][256];
    struct iovec iov[MESSAGES_MAX];
    int got;

    for (int i = 0; i < s->c; i++) {
        iov[i] = (struct iovec){ buffer[i], (size_t)s->a };
        all[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof(from[i]),
                                          .msg_iov = &iov[i], .msg_iovlen = 1,
                                          .msg_control = control[i], .msg_controllen = sizeof(control[i]) };
    }
    got = sys.recvmmsg(number(s->slot), all, (unsigned)s->c, s->b, NULL);
    say(got);
    for (int i = 0; i < got; i++) {
        fprintf(trace, " (%u", all[i].msg_len);
        say_message(s, &all[i].msg_hdr, buffer[i], all[i].msg_len);
        fprintf(trace, ")");
    }
}

static void step_receive(const struct step *s)
{
    struct iovec iov[4];
    long long n;

    switch (s->op) {
    case OP_RECVMSG: step_recvmsg(s); return;
    case OP_RECVMMSG: step_recvmmsg(s); return;
    case OP_READV:
        n = s->c ? sys.readv(number(s->slot), iov, split(iov, buffer[0], s->a, s->c))
                 : sys.read(number(s->slot), buffer[0], (size_t)s->a);
        break;
    default: n = sys.recv(number(s->slot), buffer[0], (size_t)s->a, s->b); break;
    }
    if (say(n) && !(s->op == OP_RECV && (s->b & MSG_TRUNC)))
        say_bytes(buffer[0], n);
}

/* ---- sending ---- */

static bool is_alive(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLRDHUP };

    return sys.poll(&p, 1, 0) == 0;
}

/* The kernel's loopback delivers the answer to one part, a reset, say, before the next is sent. */
static bool try_first(const struct step *s, int flags)
{
    struct slot *slot = &slots[s->slot];
    long long n;

    fill_letters(slot, buffer[0], 0, s->a);
    n = sys.send(slot->fd, buffer[0], (size_t)s->a, flags);
    if (!say(n))
        return false;
    slot->sent += (uint32_t)n;
    pace_settle();
    return is_alive(slot->fd);
}

/* When the held-back part would go out without the second hangs on the kernel's header prediction. */
static void step_send_more(const struct step *s)
{
    struct slot *slot = &slots[s->slot];
    long long n;

    if (slot->holds != SOCKET || !slot->stream || !is_alive(slot->fd) ||
        !try_first(s, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE))
        return;
    say_all_events();
    fill_letters(slot, buffer[0], 0, s->b);
    n = sys.send(slot->fd, buffer[0], (size_t)s->b, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (say(n))
        slot->sent += (uint32_t)n;
}

static void step_sendmmsg(const struct step *s)
{
    struct slot *slot = &slots[s->slot];
    struct mmsghdr all[MESSAGES_MAX] = { 0 };
    struct iovec iov[MESSAGES_MAX];
    int sent;

    if (s->c > 1 && !try_first(s, s->b))
        return;
    for (int i = 0; i < s->c; i++) {
        fill_letters(slot, buffer[i], i * s->a, s->a);
        iov[i] = (struct iovec){ buffer[i], (size_t)s->a };
        all[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
    }
    sent = sys.sendmmsg(slot->fd, all, (unsigned)s->c, s->b);
    say(sent);
    for (int i = 0; i < sent; i++) {
        fprintf(trace, " (%u)", all[i].msg_len);
        slot->sent += all[i].msg_len;
    }
}

static void step_send(const struct step *s)
{
    struct slot *slot = &slots[s->slot];
    struct iovec iov[4];
    struct msghdr msg = { .msg_iov = iov };
    struct address to;
    long long n;

    fill_letters(slot, buffer[0], 0, s->a);
    switch (s->op) {
    case OP_SENDMMSG: step_sendmmsg(s); return;
    case OP_SEND_MORE: step_send_more(s); return;
    case OP_SENDTO:
        if (is_on_wildcard(slot->fd) || !may_reach_group(s))
            return;
        to = target(s);
        n = sys.sendto(slot->fd, buffer[0], (size_t)s->a, MSG_DONTWAIT, ADDR(to));
        break;
    case OP_SENDMSG:
        msg.msg_iovlen = (size_t)split(iov, buffer[0], s->a, s->c);
        if (s->other != NOWHERE && !is_on_wildcard(slot->fd) && !would_lose_its_peer(s) && may_reach_group(s)) {
            to = target(s);
            msg.msg_name = &to.any;
            msg.msg_namelen = to.len;
        }
        n = sys.sendmsg(slot->fd, &msg, s->b);
        break;
    case OP_WRITEV:
        n = s->c ? sys.writev(slot->fd, iov, split(iov, buffer[0], s->a, s->c))
                 : sys.write(slot->fd, buffer[0], (size_t)s->a);
        break;
    default: n = sys.send(slot->fd, buffer[0], (size_t)s->a, s->b); break;
    }
    if (say(n))
        slot->sent += (uint32_t)n;
}

void step_data(const struct step *s)
{
    if (slots[s->slot].holds == EVENTFD)
        return;
    switch ((enum op)s->op) {
    case OP_RECV:
    case OP_RECVMSG:
    case OP_RECVMMSG:
    case OP_READV: step_receive(s); break;
    default: step_send(s); break;
    }
}

static bool is_acknowledged(int fd)
{
    int bytes = 0;

    return sys.ioctl(fd, SIOCOUTQ, &bytes) < 0 || bytes == 0;
}

static bool same_name(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    return a->sin6_port == b->sin6_port; /* at the same place in both families; connections of a sequence differ */
}

/*
 * The slot of the other end; -1: left out. That is a connection whose other end is nobody's yet, for what it holds is
 * not read then and counts against later bytes; and TCP_CORK, of which the last segment's part hangs on where the
 * buffers ended.
 */
static int other_end(int fd)
{
    struct sockaddr_in6 peer = { 0 }, own = { 0 };
    socklen_t peer_len = sizeof(peer), len = sizeof(int);
    int cork = 0;

    if (sys.getsockopt(fd, IPPROTO_TCP, TCP_CORK, &cork, &len) < 0 || cork ||
        sys.getpeername(fd, (void *)&peer, &peer_len) < 0)
        return -1;
    for (int i = 0; i < SLOTS; i++) {
        socklen_t own_len = sizeof(own);

        if (slots[i].fd >= 0 && slots[i].fd != fd && slots[i].holds == SOCKET && slots[i].stream &&
            tcp_state(slots[i].fd) != TCP_LISTEN && sys.getsockname(slots[i].fd, (void *)&own, &own_len) == 0 &&
            same_name(&own, &peer))
            return i;
    }
    return -1;
}

/* Sends until nothing more goes, shows what holds then, and reads everything everywhere. */
void step_flood(const struct step *s)
{
    size_t sum = 0, got = 0;
    uint64_t until;
    ssize_t n = 0;
    int end, before = 0;

    if (number(s->slot) < 0 || !slots[s->slot].stream ||
        (end = other_end(number(s->slot))) < 0)
        return;
    sys.ioctl(slots[end].fd, FIONREAD, &before);
    memset(buffer[0], 'F', MESSAGE_MAX);
    for (int idle = 0; idle < 2 && sum < FLOOD_MAX;) {
        n = sys.send(number(s->slot), buffer[0], MESSAGE_MAX, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            break;
        pace_settle();
        idle = n < 0 ? idle + 1 : 0;
        sum += n < 0 ? 0 : (size_t)n;
    }
    say(n);
    if (sum == 0)
        return;
    /* On a busy machine some of it may be lost on the way, and is sent again. */
    until = pace_now_us() + FLOOD_AGAIN_US;
    for (int round = 0; round < 2 || (got < sum + (size_t)before && pace_now_us() < until);) {
        bool any = false;

        for (int i = 0; i < SLOTS; i++) {
            while (slots[i].fd >= 0 && slots[i].stream && slots[i].holds == SOCKET &&
                   (n = sys.recv(slots[i].fd, buffer[0], MESSAGE_MAX, MSG_DONTWAIT)) > 0) {
                got += (size_t)n;
                any = true;
            }
        }
        pace_settle();
        round = any ? 0 : round + 1;
    }
}

/* ---- how many bytes ---- */

bool is_gathering(int slot)
{
    return number(slot) >= 0 && slots[slot].holds == SOCKET && !slots[slot].stream && !is_acknowledged(number(slot));
}

void step_queues(const struct step *s)
{
    int bytes = -1, mark = -1;

    if (slots[s->slot].holds != SOCKET)
        return;
    if (s->op == OP_OUTQ)
        pace_until(is_acknowledged, number(s->slot));
    if (!say(sys.ioctl(number(s->slot), s->op == OP_OUTQ ? SIOCOUTQ : FIONREAD, &bytes)))
        return;
    /* Datagrams: the kernel counts its own overhead. A stream that is over: how far its numbers went. */
    if (s->op == OP_OUTQ && !slots[s->slot].stream)
        fprintf(trace, " %s", bytes ? "some" : "none");
    else if (s->op == OP_FIONREAD || tcp_state(number(s->slot)) != TCP_CLOSE)
        fprintf(trace, " %d", bytes);
    if (s->op == OP_FIONREAD && say(sys.ioctl(number(s->slot), SIOCATMARK, &mark)))
        fprintf(trace, " mark %d", mark);
}
