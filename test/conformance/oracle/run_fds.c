/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that make descriptors, duplicate them, hand them over, and close them. */
#include <linux/close_range.h>

#include "../worlds.h"
#include "pace.h"
#include "show.h"
#include "slots.h"

/* Time limits of blocking sockets: what is to come has come, but a handshake takes turns of a busy machine. */
#define RECEIVE_US 3000
#define SEND_US 50000

struct slot slots[SLOTS];

static void close_slot(int slot)
{
    (slots[slot].holds == EVENTFD ? close : sys.close)(slots[slot].fd);
}

void slot_put(int slot, int fd, enum holds holds)
{
    int type = 0;
    socklen_t len = sizeof(type);

    if (slots[slot].fd >= 0)
        close_slot(slot);
    slots[slot] = (struct slot){ .fd = fd, .holds = fd < 0 ? NONE : holds };
    if (fd >= 0 && holds == SOCKET) {
        sys.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
        slots[slot].stream = type == SOCK_STREAM;
    }
}

/* ---- new ones ---- */

static void prepare(int fd, int type)
{
    struct timeval receive = { .tv_usec = RECEIVE_US }, send = { .tv_usec = SEND_US };

    sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive));
    sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send));
    if (type == SOCK_STREAM) /* our default, not the kernel's */
        set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static void step_accept(const struct step *s)
{
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof(from);
    int fd = sys.accept4(number(s->slot), (void *)&from, &len, s->a ? SOCK_NONBLOCK : 0);

    if (say_fd(fd)) {
        say_address(&from);
        slot_put(s->other, fd, SOCKET);
    }
}

void step_new(const struct step *s)
{
    int fd;

    if (s->op == OP_ACCEPT) {
        step_accept(s);
        return;
    }
    slot_put(s->slot, -1, NONE);
    if (s->op == OP_EVENTFD) {
        slot_put(s->slot, eventfd(0, EFD_NONBLOCK), EVENTFD);
        return;
    }
    if (s->op == OP_EPOLL_CREATE) {
        fd = sys.epoll_create1(0);
        slot_put(s->slot, fd, EPOLL);
    } else {
        fd = sys.socket(kind_family(s->a), kind_type(s->a) | (s->b ? SOCK_NONBLOCK : 0), 0);
        slot_put(s->slot, fd, SOCKET);
        prepare(fd, kind_type(s->a));
    }
    say_fd(fd);
}

/* ---- duplicates ---- */

/* `as` is what `from` is now. */
static void copy_slot(int from, int as)
{
    slots[as].holds = slots[from].holds;
    slots[as].stream = slots[from].stream;
    slots[as].sent = slots[from].sent;
}

static void say_close_on_exec(int fd)
{
    fprintf(trace, " FD_CLOEXEC %d", sys.fcntl(fd, F_GETFD));
}

static void step_dup(const struct step *s)
{
    int fd;

    if (s->other == s->slot || number(s->slot) < 0)
        return;
    fd = sys.fcntl(number(s->slot), s->a ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
    if (say_fd(fd)) {
        slot_put(s->other, fd, slots[s->slot].holds);
        say_close_on_exec(fd);
    }
}

/* dup2(), dup3(): onto whatever there is, and only onto what there is. */
void step_duplicate(const struct step *s)
{
    static const int flags[] = { 0, O_CLOEXEC, O_NONBLOCK, O_CLOEXEC };
    int from = number(s->slot), as = number(s->other);

    if (s->op == OP_DUP) {
        step_dup(s);
        return;
    }
    if (as < 0)
        return;
    if (!say_fd(s->op == OP_DUP2 ? sys.dup2(from, as) : sys.dup3(from, as, flags[s->a & 3])))
        return;
    copy_slot(s->slot, s->other);
    say_close_on_exec(as);
}

/* ---- to another process, through a UNIX socket ---- */

static ssize_t hand_over(int through, const int *fds, int count)
{
    uint8_t room[CMSG_SPACE(2 * sizeof(int))] = { 0 };
    struct iovec byte = { "x", 1 };
    struct msghdr msg = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = room,
                          .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
    return sys.sendmsg(through, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* How many came; they are closed. */
static int take_over(int from)
{
    uint8_t room[CMSG_SPACE(2 * sizeof(int))];
    char byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct cmsghdr *c;
    int came = 0, fd;

    if (recvmsg(from, &msg, MSG_DONTWAIT) != 1)
        return 0;
    for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        for (; CMSG_LEN((size_t)(came + 1) * sizeof(int)) <= c->cmsg_len; came++) {
            memcpy(&fd, CMSG_DATA(c) + (size_t)came * sizeof(int), sizeof(fd));
            close(fd);
        }
    }
    return came;
}

/*
 * A socket of ours cannot be another process's: EOPNOTSUPP, and nothing is handed over, what lies beside it neither.
 * That is the one outcome that is not the kernel's; that it leaves all as it was, both sides show.
 */
void step_rights(const struct step *s)
{
    int ends[2], fds[2] = { number(s->slot), s->a ? number(s->other) : -1 }, count = s->a ? 2 : 1, came;
    bool ours = world.ours && (slots[s->slot].holds == SOCKET ||
                               (s->a && s->other < SLOTS && slots[s->other].holds == SOCKET));
    ssize_t sent;
    int error;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return;
    sent = hand_over(ends[0], fds, count);
    error = errno;
    came = take_over(ends[1]);
    if (ours && sent < 0 && error == EOPNOTSUPP && came == 0) {
        error = EBADF;
        sent = fds[0] < 0 || (s->a && fds[1] < 0) ? -1 : 1;
        came = sent < 0 ? 0 : count;
    }
    errno = error;
    if (say(sent) || came)
        fprintf(trace, " came %d", came);
    close(ends[0]);
    close(ends[1]);
}

/* ---- the end ---- */

static void step_close_range(const struct step *s)
{
    static const int flags[] = { 0, 0, CLOSE_RANGE_CLOEXEC, 1 << 5, 0 };
    unsigned fd = (unsigned)number(s->slot), last = s->a == 4 ? fd - 1 : fd;

    if (number(s->slot) <= 0 || !say(sys.close_range(fd, last, flags[s->a % 5])))
        return;
    if (flags[s->a % 5] & CLOSE_RANGE_CLOEXEC)
        say_close_on_exec((int)fd);
    else
        slots[s->slot] = (struct slot){ .fd = -1 };
}

void step_close(const struct step *s)
{
    struct linger none = { .l_onoff = 1 };
    int fd = number(s->slot);

    if (s->op == OP_CLOSE_RANGE) {
        step_close_range(s);
        return;
    }
    if (s->op == OP_RESET)
        sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    if (slots[s->slot].holds == EVENTFD)
        slot_put(s->slot, -1, NONE);
    else
        say(sys.close(fd));
    slots[s->slot] = (struct slot){ .fd = -1 };
}
