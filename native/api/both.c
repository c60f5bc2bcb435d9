/* SPDX-License-Identifier: Apache-2.0 */
#include "api/both.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "api/fork.h"
#include "base/kernel_calls.h"
#include "base/lock.h"
#include "base/log.h"
#include "fd/fd_table.h"
#include "fd/poll.h"
#include "fd/route.h"
#include "socket/wait.h"

/* Until one half has something: 0, or -errno (-EAGAIN: the time is over, or it does not wait). */
static int wait_both(struct socket *sock, int fd, bool may_wait, uint64_t deadline_ns)
{
    struct pollfd both = { .fd = fd, .events = POLLIN };
    int result;

    if (!may_wait)
        return -EAGAIN;
    result = poll_wait(&both, 1, deadline_ns, NULL);
    return result > 0 ? 0 : result == 0 ? -EAGAIN : result;
}

int both_accept(struct socket *sock, int fd, struct sockaddr *addr, socklen_t *len, int flags,
                int (*own)(struct socket *, struct sockaddr *, socklen_t *, int))
{
    uint64_t deadline = socket_deadline(sock->options.receive_timeout_us);

    for (;;) {
        struct pollfd kernels = { .fd = fd, .events = POLLIN };
        int result = own(sock, addr, len, flags);

        if (result != -EAGAIN)
            return result;
        /* A child that has it, too, may have made it wait: then only when there is something. */
        if (!fork_has_children() || kernel.poll(&kernels, 1, 0) == 1) {
            result = kernel.accept4(fd, addr, len, flags);
            if (result >= 0 || errno != EAGAIN)
                return result < 0 ? -errno : result;
        }
        result = wait_both(sock, fd, !file_user_nonblock(&sock->file), deadline);
        if (result < 0)
            return result;
    }
}

/*
 * On which side those are who wrote last, so that the answer leaves where the question came in, whatever the
 * rules say of the way to them. Who is pushed out by another is answered by the rules.
 */
#define PEERS_MAX 256

struct both_peers {
    struct lock lock;
    struct {
        struct endpoint who;
        bool kernels;
    } entry[PEERS_MAX];
};

static unsigned place_of(const struct endpoint *e)
{
    uint32_t words[4] = { 0 }, hash = e->port;

    memcpy(words, &e->v6, e->family == AF_INET ? 4 : 16);
    for (int i = 0; i < 4; i++)
        hash = (hash ^ words[i]) * 2654435761u;
    return hash >> 16 & (PEERS_MAX - 1);
}

static struct both_peers *peers_of(struct socket *sock)
{
    struct both_peers *peers = atomic_load_explicit(&sock->peers, memory_order_acquire), *none = NULL;

    if (LIKELY(peers))
        return peers;
    peers = calloc(1, sizeof(*peers));
    if (peers && !atomic_compare_exchange_strong(&sock->peers, &none, peers)) {
        free(peers);
        peers = none;
    }
    return peers;
}

static void remember(struct socket *sock, const struct msghdr *msg, bool kernels)
{
    struct both_peers *peers;
    struct endpoint who;

    if (msg->msg_name == NULL || sock->type != SOCK_DGRAM ||
        endpoint_from_sockaddr(&who, sock->family, msg->msg_name, msg->msg_namelen) < 0 ||
        (peers = peers_of(sock)) == NULL)
        return;
    lock_take(&peers->lock);
    peers->entry[place_of(&who)].who = who;
    peers->entry[place_of(&who)].kernels = kernels;
    lock_give(&peers->lock);
}

/* False: it is not known. */
static bool is_remembered(struct socket *sock, const struct endpoint *who, bool *kernels)
{
    struct both_peers *peers = atomic_load_explicit(&sock->peers, memory_order_acquire);
    unsigned place = place_of(who);
    bool known;

    if (peers == NULL)
        return false;
    lock_take(&peers->lock);
    known = peers->entry[place].who.port == who->port && endpoint_same_address(&peers->entry[place].who, who);
    *kernels = peers->entry[place].kernels;
    lock_give(&peers->lock);
    return known;
}

ssize_t both_recv(struct socket *sock, int fd, struct msghdr *msg, int flags)
{
    uint64_t deadline = socket_deadline(sock->options.receive_timeout_us);
    bool may_wait = !(flags & MSG_DONTWAIT) && !file_user_nonblock(&sock->file);

    for (;;) {
        struct msghdr copy = *msg;
        ssize_t result = socket_ops(sock)->recv(sock, msg, flags | MSG_DONTWAIT);

        if (result >= 0)
            remember(sock, msg, false);
        if (result != -EAGAIN || !sock->file.kernel_side)
            return result;
        *msg = copy;
        result = kernel.recvmsg(fd, msg, flags | MSG_DONTWAIT);
        if (result >= 0)
            remember(sock, msg, true);
        if (result >= 0 || errno != EAGAIN)
            return result < 0 ? -errno : result;
        *msg = copy;
        result = wait_both(sock, fd, may_wait, deadline);
        if (result < 0)
            return result;
    }
}

static bool leads_to_kernel(struct socket *sock, const struct sockaddr *addr, socklen_t len)
{
    struct route_answer answer;
    struct endpoint e;
    bool kernels;

    if (endpoint_from_sockaddr(&e, sock->family, addr, len) < 0)
        return false; /* ours says what is wrong with it */
    if (is_remembered(sock, &e, &kernels))
        return kernels;
    route_decide(&answer, sock->type, ROUTE_USE_CONNECT, &e, sock->options.device != 0);
    return answer.verdict == ROUTE_KERNEL;
}

ssize_t both_send(struct socket *sock, int fd, const struct msghdr *msg, int flags)
{
    ssize_t result;

    if (msg->msg_name == NULL || !leads_to_kernel(sock, msg->msg_name, msg->msg_namelen))
        return socket_ops(sock)->send(sock, msg, flags);
    result = kernel.sendmsg(fd, msg, flags);
    return result < 0 ? -errno : result;
}

static void set_kernel_nonblock(int fd, bool nonblock)
{
    int flags = kernel.fcntl(fd, F_GETFL);

    kernel.fcntl(fd, F_SETFL, nonblock ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

/* Ours alone: the kernel's half hears nobody any more. */
static void leave_kernel(struct socket *sock, int fd)
{
    bool nonblock = file_user_nonblock(&sock->file);
    struct sockaddr_in nobody = { .sin_family = AF_INET, .sin_port = 1 };
    struct sockaddr_in6 nobody6 = { .sin6_family = AF_INET6, .sin6_port = 1,
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    uint8_t byte;

    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (sock->family == AF_INET)
        kernel.connect(fd, (struct sockaddr *)&nobody, sizeof(nobody));
    else
        kernel.connect(fd, (struct sockaddr *)&nobody6, sizeof(nobody6));
    while (kernel.recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
        ;
    sock->file.kernel_side = false;
    file_set_nonblock(&sock->file, nonblock);
}

int both_connect(struct socket *sock, int fd, const struct sockaddr *addr, socklen_t len)
{
    if (addr == NULL || len < (socklen_t)sizeof(sa_family_t) || addr->sa_family == AF_UNSPEC)
        return 0;
    if (!leads_to_kernel(sock, addr, len)) {
        leave_kernel(sock, fd);
        return 0;
    }
    if (kernel.connect(fd, addr, len) < 0)
        return -errno;
    set_kernel_nonblock(fd, file_user_nonblock(&sock->file));
    log_debug("socket %d: the kernel's, by its peer", fd);
    fd_replace(&sock->file, NULL);
    return 1;
}

/* What only one half knows is good enough. */
int both_setsockopt(struct socket *sock, int fd, int level, int name, const void *value, socklen_t len)
{
    int there = kernel.setsockopt(fd, level, name, value, len) < 0 ? -errno : 0;
    int here = socket_option_set(sock, level, name, value, len);

    return here < 0 && there == 0 ? 0 : here;
}
