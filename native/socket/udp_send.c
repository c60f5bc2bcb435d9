/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending datagrams: the application's part. With MSG_MORE the pieces of several calls are one
 * datagram (udp(7)): they gather in the socket's cork until a call without it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/address.h"
#include "lwip/paths.h"
#include "socket/error_queue.h"
#include "socket/ready.h"
#include "socket/udp.h"
#include "socket/wait.h"

#define PAYLOAD_MAX_V4 65507u /* 65535 less the IPv4 and UDP headers */
#define PAYLOAD_MAX_V6 65487u /* 65535 less both headers, as one packet in memory has them (the kernel: 65527) */
#define HEADERS_V4 28u
#define HEADERS_V6 48u

struct udp_cork { /* under tx.writer */
    struct endpoint to; /* of the first piece, the others' is not looked at */
    bool begun, chooses;
    struct send_choice choice; /* of the first piece as well */
    uint32_t bytes;
    uint8_t data[PAYLOAD_MAX_V6];
};

static uint32_t mtu_to(const struct socket *sock, const struct endpoint *to)
{
    const struct socket_options *o = &sock->options;
    uint32_t mtu = address_mtu(to, mtu_discover_uses_path(socket_options_mtu_discover(o, to->family)));

    return to->family == AF_INET6 && o->fragment_bytes6 ? min_u32(mtu, (uint32_t)o->fragment_bytes6) : mtu;
}

/* The most that a datagram may carry to there, as __ip_append_data() and __ip6_append_data(): of a protocol's
 * largest unless it must not be cut. */
static uint32_t payload_max(const struct socket *sock, const struct endpoint *to, const struct send_choice *choice)
{
    const struct socket_options *o = &sock->options;
    bool whole6 = choice && choice->dont_fragment >= 0 ? choice->dont_fragment : o->dont_fragment6;
    bool is_ip6 = to->family == AF_INET6;
    uint32_t headers = is_ip6 ? HEADERS_V6 : HEADERS_V4, max = is_ip6 ? PAYLOAD_MAX_V6 : PAYLOAD_MAX_V4, mtu;

    if (LIKELY(mtu_discover_cuts(socket_options_mtu_discover(o, to->family)) && !(is_ip6 && whole6)))
        return max;
    mtu = mtu_to(sock, to);
    return mtu < headers ? 0 : min_u32(max, mtu - headers);
}

/* As ip_local_error() and ipv6_local_error(): who asked for it finds in the error queue what the way bears. */
static int too_long(struct socket *sock, const struct endpoint *to)
{
    const struct socket_options *o = &sock->options;
    struct socket_error *record;

    if (!(to->family == AF_INET6 ? o->receive_error6 : o->receive_error))
        return -EMSGSIZE;
    record = calloc(1, sizeof(*record));
    if (record == NULL)
        return -EMSGSIZE;
    record->what = (struct sock_extended_err){ .ee_errno = EMSGSIZE, .ee_origin = SO_EE_ORIGIN_LOCAL,
                                               .ee_info = mtu_to(sock, to) };
    record->to = *to;
    if (to->family == AF_INET) /* whatever sendto() said: inet_dport */
        record->to.port = sock->peer.port;
    record->arrival.time_ns = clock_now_ns();
    error_queue_push(sock, record);
    ready_poke(sock);
    return -EMSGSIZE;
}

bool udp_family_fits(const struct socket *sock, const struct endpoint *to)
{
    const struct binding *b = &sock->binding;

    if (to->family != sock->family && sock->options.v6_only)
        return false;
    return !b->bound || endpoint_is_any(&b->local) || b->local.family == to->family;
}

int udp_resolve(struct socket *sock, const struct msghdr *msg, size_t bytes, struct send_record *record,
                struct send_choice *choice)
{
    const struct endpoint *to = &record->to;
    int result;

    if (msg->msg_name && msg->msg_namelen > 0) {
        int family = sock->family;

        /* An IPv4 name is as good as its mapped form (udpv6_sendmsg() of the kernel). */
        if (family == AF_INET6 && msg->msg_namelen >= sizeof(sa_family_t) &&
            ((const struct sockaddr *)msg->msg_name)->sa_family == AF_INET)
            family = AF_INET;
        result = endpoint_from_sockaddr(&record->to, family, msg->msg_name, msg->msg_namelen);
        if (result < 0)
            return result;
        if (socket_is_mapped(sock) && record->to.family == AF_INET6) {
            if (!endpoint_is_any(&record->to))
                return -EAFNOSUPPORT;
            record->to = (struct endpoint){ .family = AF_INET, .port = record->to.port };
        }
        if (!udp_family_fits(sock, &record->to))
            return -ENETUNREACH;
        if (record->to.port == 0)
            return -EINVAL;
        if (endpoint_is_any(&record->to))
            address_own(&record->to);
    } else if (socket_state(sock) == SOCKET_CONNECTED) {
        to = &sock->peer; /* family 0 in the record says so */
    } else {
        return -EDESTADDRREQ;
    }
    if (to->family == AF_INET && bytes > UINT16_MAX)
        return -EMSGSIZE; /* before all else, of IPv4 */
    record->chooses = false;
    if (UNLIKELY(msg->msg_controllen > 0)) {
        result = udp_control(sock, msg, to->family, choice);
        if (result == 0)
            result = udp_control_route(sock, choice);
        if (result < 0)
            return result;
        record->chooses = true;
    }
    if (udp_stacks_to(sock, to) == 0)
        return -ENETUNREACH;
    if (to->family == AF_INET && to->v4.s_addr == INADDR_BROADCAST && !sock->options.broadcast)
        return -EACCES;
    if (UNLIKELY(bytes > payload_max(sock, to, record->chooses ? choice : NULL)))
        return too_long(sock, to);
    record->payload_bytes = (uint32_t)bytes;
    return 0;
}

static bool is_corked(const struct socket *sock)
{
    const struct udp_cork *cork = __atomic_load_n(&sock->cork, __ATOMIC_ACQUIRE);

    return cork && __atomic_load_n(&cork->begun, __ATOMIC_RELAXED);
}

uint32_t udp_gathered_bytes(struct socket *sock)
{
    uint32_t bytes;

    lock_take(&sock->tx.writer);
    bytes = is_corked(sock) ? (uint32_t)sizeof(struct send_record) + sock->cork->bytes : 0;
    lock_give(&sock->tx.writer);
    return bytes;
}

/* Under tx.writer: one piece more. 0 or -errno; then what was gathered is lost, as in the kernel. */
static int gather(struct socket *sock, const struct msghdr *msg, size_t bytes,
                  const struct send_record *record, const struct send_choice *choice)
{
    struct udp_cork *cork = sock->cork;
    if (cork == NULL) {
        cork = malloc(sizeof(*cork));
        if (cork == NULL)
            return -ENOBUFS;
        cork->begun = false;
        __atomic_store_n(&sock->cork, cork, __ATOMIC_RELEASE);
    }
    if (!cork->begun) {
        cork->to = record->to.family ? record->to : sock->peer; /* who may be another at the last piece */
        cork->bytes = 0;
        cork->chooses = record->chooses;
        if (record->chooses)
            cork->choice = *choice;
        __atomic_store_n(&cork->begun, true, __ATOMIC_RELAXED);
    }
    if (bytes > UINT16_MAX && cork->to.family == AF_INET)
        return -EMSGSIZE; /* this one is not: of IPv4 that is seen before all else */
    if (cork->bytes + bytes > payload_max(sock, &cork->to, cork->chooses ? &cork->choice : NULL)) {
        __atomic_store_n(&cork->begun, false, __ATOMIC_RELAXED);
        return too_long(sock, &cork->to);
    }
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        memcpy(cork->data + cork->bytes, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
        cork->bytes += (uint32_t)msg->msg_iov[i].iov_len;
    }
    return 0;
}

/* Under tx.writer: true: it is on its way. */
static bool put_record(struct socket *sock, const struct send_record *record, const struct iovec *iov, int iov_count)
{
    bool taken = send_queue_write_record(&sock->tx, socket_stack(sock)->chunks, record, iov, iov_count);

    if (!taken)
        atomic_store(&sock->tx.wants_room, true);
    return taken;
}

/* What the kernel looks at when it makes a packet, after all that concerns its destination. */
static int may_send(struct socket *sock)
{
    int result = socket_take_error(sock);

    if (result)
        return -result;
    return socket_has(sock, SOCKET_TX_SHUT) ? -EPIPE : 0;
}

/*
 * The whole datagram, when there is room for it. With MSG_BATCH the next one follows at once: driven inline, a
 * turn for each would cost more than all the rest; the last one's sends them all.
 */
static int put(struct socket *sock, const struct send_record *record, const struct iovec *iov,
               int iov_count, int flags)
{
    struct patience patience = { .block = !(flags & MSG_DONTWAIT) && !file_nonblock(&sock->file),
                                 .polled = true /* marked dirty, it is turned */ };
    bool later = (flags & MSG_BATCH) && socket_may_put_off(socket_stack(sock)), turned = false;

    for (;;) {
        bool taken;
        int result;

        lock_take(&sock->tx.writer);
        taken = put_record(sock, record, iov, iov_count);
        lock_give(&sock->tx.writer);
        if (!taken && send_queue_is_writable(&sock->tx))
            atomic_store(&sock->tx.starved, true);
        socket_mark_dirty(sock, !(taken && later));
        if (taken)
            return 0;
        if (!turned && send_queue_is_writable(&sock->tx)) { /* what was put off is sent now */
            turned = true;
            continue;
        }
        result = socket_look_again(sock, &patience, EPOLLOUT, UINT64_MAX, sock->options.send_timeout_us);
        if (result < 0)
            return result;
    }
}

/* The same with what control messages chose in front of it. */
static __attribute__((noinline)) int put_chosen(struct socket *sock, const struct send_record *record,
                                                const struct send_choice *choice, const struct msghdr *msg, int flags)
{
    struct send_record all = *record;
    struct iovec iov[msg->msg_iovlen + 1];

    all.payload_bytes += (uint32_t)sizeof(*choice);
    iov[0] = (struct iovec){ (void *)(uintptr_t)choice, sizeof(*choice) };
    if (msg->msg_iovlen)
        memcpy(iov + 1, msg->msg_iov, msg->msg_iovlen * sizeof(iov[0]));
    return put(sock, &all, iov, (int)msg->msg_iovlen + 1, flags);
}

/* A piece of a datagram; the last one sends it. */
static int send_piece(struct socket *sock, const struct msghdr *msg, size_t bytes,
                      const struct send_record *piece, const struct send_choice *choice, bool more)
{
    struct send_record record = { 0 };
    struct iovec iov[2];
    int result;

    lock_take(&sock->tx.writer);
    result = gather(sock, msg, bytes, piece, choice);
    if (result == 0 && !more) {
        int skip = !sock->cork->chooses;

        record.to = sock->cork->to;
        record.chooses = sock->cork->chooses;
        record.payload_bytes = sock->cork->bytes + (skip ? 0 : (uint32_t)sizeof(sock->cork->choice));
        iov[0] = (struct iovec){ &sock->cork->choice, sizeof(sock->cork->choice) };
        iov[1] = (struct iovec){ sock->cork->data, sock->cork->bytes };
        __atomic_store_n(&sock->cork->begun, false, __ATOMIC_RELAXED);
        if (!put_record(sock, &record, iov + skip, 2 - skip))
            result = -EAGAIN;
    }
    lock_give(&sock->tx.writer);
    if (!more)
        socket_mark_dirty(sock, true);
    return result;
}

/* A port for a socket without one, whatever comes of the rest (inet_send_prepare()), on a stack that
 * leads to the destination. */
static int name(struct socket *sock, const struct msghdr *msg)
{
    int family = sock->family, result;
    struct endpoint towards;

    if (msg->msg_name && msg->msg_namelen >= sizeof(sa_family_t) &&
        ((const struct sockaddr *)msg->msg_name)->sa_family == AF_INET)
        family = AF_INET;
    result = endpoint_from_sockaddr(&towards, family, msg->msg_name, msg->msg_namelen);
    if (result == 0 && endpoint_is_any(&towards))
        address_own(&towards);
    lock_take(&sock->lock);
    result = udp_autobind(sock, result == 0 ? &towards : NULL);
    lock_give(&sock->lock);
    return result;
}

ssize_t udp_send_call(struct socket *sock, const struct msghdr *msg, int flags)
{
    struct send_record record = { 0 };
    struct send_choice choice;
    size_t bytes = 0;
    int result = 0;

    for (size_t i = 0; i < msg->msg_iovlen; i++)
        bytes += msg->msg_iov[i].iov_len;
    if (UNLIKELY(!sock->binding.bound) && name(sock, msg) < 0)
        return -EAGAIN;
    if (bytes > UINT16_MAX && sock->family == AF_INET)
        return -EMSGSIZE;
    if ((flags & MSG_OOB) && sock->family == AF_INET)
        return -EOPNOTSUPP;
    if (LIKELY(!is_corked(sock))) {
        result = udp_resolve(sock, msg, bytes, &record, &choice);
        /* udpv6_sendmsg() does not look at it, but for where it leaves the datagram to IPv4. */
        if (result == 0 && (flags & MSG_OOB) && (record.to.family ? : sock->peer.family) == AF_INET)
            result = -EOPNOTSUPP;
        if (result == 0)
            result = may_send(sock);
    } else if ((flags & MSG_OOB) && (sock->cork->to.family ? : sock->peer.family) == AF_INET) {
        return -EOPNOTSUPP;
    } else if (!(flags & MSG_MORE)) {
        result = send_piece(sock, msg, bytes, &record, NULL, false);
        return result < 0 ? result : (ssize_t)bytes;
    }
    if (result == 0 && (flags & MSG_MORE))
        result = send_piece(sock, msg, bytes, &record, &choice, true);
    else if (result == 0)
        result = LIKELY(!record.chooses) ? put(sock, &record, msg->msg_iov, (int)msg->msg_iovlen, flags)
                                         : put_chosen(sock, &record, &choice, msg, flags);
    return result < 0 ? result : (ssize_t)bytes;
}
