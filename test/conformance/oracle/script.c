/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"

static const char *const kind_names[] = { "tcp4", "tcp6", "udp4", "udp6" };
static const char *const places[] = { "host", "other", "any", "foreign", "mapped host",
                                      "mapped any", "group a", "group b" };
static const char *const waits[] = { "epoll_wait", "epoll_pwait", "epoll_pwait2" };
static const char *const ranges[] = { "alone, 0", "alone, 0", "alone, CLOEXEC", "alone, no such flag", "backwards" };
static const char *const offsets[] = { "", " with an offset in the socket", " with one in the pipe" };
static const char *const wishes[] = { "joins", "leaves", "joins of a source", "leaves of a source", "blocks",
                                      "unblocks" };
static const char *const hows[] = { "SHUT_RD", "SHUT_WR", "SHUT_RDWR" };

static const char *const ops[OP_COUNT] = {
    [OP_SOCKET] = "socket",           [OP_BIND] = "bind",
    [OP_LISTEN] = "listen",           [OP_CONNECT] = "connect",
    [OP_DISCONNECT] = "disconnect",   [OP_ACCEPT] = "accept",
    [OP_SEND] = "send",               [OP_SENDTO] = "sendto",
    [OP_RECV] = "recv",               [OP_RECVMSG] = "recvmsg",
    [OP_READV] = "readv",             [OP_WRITEV] = "writev",
    [OP_SHUTDOWN] = "shutdown",       [OP_CLOSE] = "close",
    [OP_RESET] = "reset",             [OP_DUP] = "dup",
    [OP_SETOPT] = "setopt",           [OP_GETOPT] = "getopt",
    [OP_NAMES] = "names",             [OP_FIONREAD] = "fionread",
    [OP_NONBLOCK] = "nonblock",       [OP_POLL] = "poll",
    [OP_SELECT] = "select",           [OP_FLOOD] = "flood",
    [OP_EPOLL_CREATE] = "epoll",      [OP_EPOLL_CTL] = "epoll_ctl",
    [OP_EPOLL_WAIT] = "epoll_wait",   [OP_EVENTFD] = "eventfd",
    [OP_EVENTFD_WRITE] = "eventfd_write", [OP_EVENTFD_READ] = "eventfd_read",
    [OP_SENDMSG] = "sendmsg",         [OP_SENDMMSG] = "sendmmsg",
    [OP_RECVMMSG] = "recvmmsg",       [OP_DUP2] = "dup2",
    [OP_LINGER] = "linger",           [OP_OUTQ] = "outq",
    [OP_TCP_STATE] = "tcp_state",     [OP_SEND_MORE] = "send_more",
    [OP_DUP3] = "dup3",               [OP_CLOSE_RANGE] = "close_range",
    [OP_RIGHTS] = "rights",           [OP_SENDFILE] = "sendfile",
    [OP_SPLICE_IN] = "splice_in",     [OP_SPLICE_OUT] = "splice_out",
    [OP_MEMBERSHIP] = "membership",   [OP_MULTICAST_IF] = "multicast_if",
};

void script_code(char *text, size_t size, const struct step *s)
{
    snprintf(text, size, "%s %d %d %d %d %d %d", ops[s->op], s->slot, s->other, s->place, s->a, s->b, s->c);
}

bool script_parse(const char *text, struct step *step)
{
    char name[32];
    int slot, other, place;

    if (sscanf(text, "%31s %d %d %d %d %d %d", name, &slot, &other, &place, &step->a, &step->b, &step->c) != 7)
        return false;
    for (int op = 0; op < OP_COUNT; op++) {
        if (strcmp(ops[op], name) == 0) {
            step->op = (uint8_t)op;
            step->slot = (uint8_t)slot;
            step->other = (uint8_t)other;
            step->place = (uint8_t)place;
            return true;
        }
    }
    return false;
}

static const char *flag_names(int flags)
{
    static const struct {
        int bit;
        const char *name;
    } names[] = {
        { MSG_DONTWAIT, "DONTWAIT" }, { MSG_PEEK, "PEEK" },       { MSG_WAITALL, "WAITALL" },
        { MSG_TRUNC, "TRUNC" },       { MSG_MORE, "MORE" },       { MSG_NOSIGNAL, "NOSIGNAL" },
        { MSG_OOB, "OOB" },           { MSG_ERRQUEUE, "ERRQUEUE" }, { MSG_EOR, "EOR" },
        { MSG_WAITFORONE, "WAITFORONE" },
    };
    static char text[128];

    text[0] = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (flags & names[i].bit) {
            strcat(text, text[0] ? "|" : "");
            strcat(text, names[i].name);
        }
    }
    return text[0] ? text : "0";
}

static const char *epoll_flags(uint32_t events)
{
    static char text[160];

    snprintf(text, sizeof(text), "%s%s%s%s", event_names(events & 0xffffff),
             events & EPOLLET ? " ET" : "", events & EPOLLONESHOT ? " ONESHOT" : "",
             events & EPOLLEXCLUSIVE ? " EXCLUSIVE" : "");
    return text;
}

static const char *target(const struct step *s)
{
    static char text[64];

    if (s->other == NOWHERE)
        snprintf(text, sizeof(text), "%s:%d", places[s->place % PLACES], s->b);
    else
        snprintf(text, sizeof(text), "%s:port of s%d", places[s->place % PLACES], s->other);
    return text;
}

void script_line(char *text, size_t size, const struct step *s)
{
    int f = s->slot;

    switch ((enum op)s->op) {
    case OP_SOCKET:
        snprintf(text, size, "s%d = socket(%s%s)", f, kind_names[s->a % KINDS], s->b ? ", NONBLOCK" : "");
        break;
    case OP_BIND: snprintf(text, size, "bind(s%d, %s)", f, target(s)); break;
    case OP_LISTEN: snprintf(text, size, "listen(s%d, %d)", f, s->a); break;
    case OP_CONNECT: snprintf(text, size, "connect(s%d, %s)", f, target(s)); break;
    case OP_DISCONNECT: snprintf(text, size, "connect(s%d, AF_UNSPEC)", f); break;
    case OP_ACCEPT: snprintf(text, size, "s%d = accept(s%d%s)", s->other, f, s->a ? ", NONBLOCK" : ""); break;
    case OP_SEND: snprintf(text, size, "send(s%d, %d, %s)", f, s->a, flag_names(s->b)); break;
    case OP_SENDTO: snprintf(text, size, "sendto(s%d, %d, DONTWAIT, %s)", f, s->a, target(s)); break;
    case OP_RECV: snprintf(text, size, "recv(s%d, %d, %s)", f, s->a, flag_names(s->b)); break;
    case OP_RECVMSG:
        snprintf(text, size, "recvmsg(s%d, %d in %d, %s)", f, s->a, s->c, flag_names(s->b));
        break;
    case OP_SEND_MORE:
        snprintf(text, size, "send(s%d, %d, DONTWAIT|MORE), then send(s%d, %d, DONTWAIT)", f, s->a, f, s->b);
        break;
    case OP_SENDMSG:
        snprintf(text, size, "sendmsg(s%d, %d in %d, %s%s%s)", f, s->a, s->c, flag_names(s->b),
                 s->other != NOWHERE ? ", " : "", s->other != NOWHERE ? target(s) : "");
        break;
    case OP_SENDMMSG:
        snprintf(text, size, "sendmmsg(s%d, %d messages of %d, %s)", f, s->c, s->a, flag_names(s->b));
        break;
    case OP_RECVMMSG:
        snprintf(text, size, "recvmmsg(s%d, %d messages of %d, %s)", f, s->c, s->a, flag_names(s->b));
        break;
    case OP_READV: snprintf(text, size, "readv(s%d, %d in %d)", f, s->a, s->c); break;
    case OP_WRITEV: snprintf(text, size, "writev(s%d, %d in %d)", f, s->a, s->c); break;
    case OP_DUP2: snprintf(text, size, "dup2(s%d, s%d)", f, s->other); break;
    case OP_LINGER: snprintf(text, size, "setsockopt(s%d, SO_LINGER, {%d, %d})", f, s->a, s->b); break;
    case OP_OUTQ: snprintf(text, size, "ioctl(s%d, SIOCOUTQ)", f); break;
    case OP_TCP_STATE: snprintf(text, size, "TCP_INFO's state(s%d)", f); break;
    case OP_SHUTDOWN: snprintf(text, size, "shutdown(s%d, %s)", f, hows[s->a % 3]); break;
    case OP_CLOSE: snprintf(text, size, "close(s%d)", f); break;
    case OP_RESET: snprintf(text, size, "close with RST(s%d)", f); break;
    case OP_DUP: snprintf(text, size, "s%d = fcntl(s%d, F_DUPFD%s)", s->other, f, s->a ? "_CLOEXEC" : ""); break;
    case OP_DUP3:
        snprintf(text, size, "dup3(s%d, s%d, %s)", f, s->other, s->a == 2 ? "O_NONBLOCK" : s->a ? "O_CLOEXEC" : "0");
        break;
    case OP_CLOSE_RANGE: snprintf(text, size, "close_range(s%d, %s)", f, ranges[s->a % 5]); break;
    case OP_RIGHTS:
        snprintf(text, size, "SCM_RIGHTS of s%d", f);
        if (s->a)
            snprintf(text + strlen(text), size - strlen(text), " and s%d", s->other);
        break;
    case OP_SENDFILE:
        snprintf(text, size, "sendfile(s%d, from ", f);
        snprintf(text + strlen(text), size - strlen(text), s->other == NOWHERE ? "a file" : "s%d", s->other);
        snprintf(text + strlen(text), size - strlen(text), ", %d bytes at %d)", s->a, s->b);
        break;
    case OP_SPLICE_IN:
        snprintf(text, size, "splice(from s%d, %d to a pipe, %s)%s", f, s->a, s->b ? "NONBLOCK" : "0",
                 offsets[s->c % 3]);
        break;
    case OP_SPLICE_OUT:
        snprintf(text, size, "splice(to s%d, %d of a pipe, %s)%s", f, s->a, s->b ? "NONBLOCK" : "0",
                 offsets[s->c % 3]);
        break;
    case OP_MEMBERSHIP:
        snprintf(text, size, "s%d %s group %c on %s", f, wishes[s->a % 6], "ab"[s->b & 1], places[s->place & 1]);
        if (s->a > 1)
            snprintf(text + strlen(text), size - strlen(text), ", source %s", places[s->c & 3]);
        break;
    case OP_MULTICAST_IF: snprintf(text, size, "setsockopt(s%d, MULTICAST_IF, %s)", f, places[s->place & 3]); break;
    case OP_SETOPT: snprintf(text, size, "setsockopt(s%d, %s, %d)", f, oracle_options[s->a].name, s->b); break;
    case OP_GETOPT: snprintf(text, size, "getsockopt(s%d, %s)", f, oracle_options[s->a].name); break;
    case OP_NAMES: snprintf(text, size, "names(s%d)", f); break;
    case OP_FIONREAD: snprintf(text, size, "ioctl(s%d, FIONREAD)", f); break;
    case OP_NONBLOCK: snprintf(text, size, "fcntl(s%d, F_SETFL, %s)", f, s->a ? "O_NONBLOCK" : "0"); break;
    case OP_POLL:
        if (s->b)
            snprintf(text, size, "ppoll(all, %s)", event_names((uint32_t)s->a));
        else
            snprintf(text, size, "poll(s%d, %s)", f, event_names((uint32_t)s->a));
        break;
    case OP_SELECT: snprintf(text, size, "select(all)"); break;
    case OP_FLOOD: snprintf(text, size, "flood(s%d), then drain all", f); break;
    case OP_EPOLL_CREATE: snprintf(text, size, "s%d = epoll_create1(0)", f); break;
    case OP_EPOLL_CTL:
        snprintf(text, size, "epoll_ctl(s%d, %s, s%d, %s)", f,
                 s->a == EPOLL_CTL_ADD ? "ADD" : s->a == EPOLL_CTL_MOD ? "MOD" : "DEL", s->other,
                 epoll_flags((uint32_t)s->b));
        break;
    case OP_EPOLL_WAIT: snprintf(text, size, "%s(s%d, %d)", waits[s->b % 3], f, s->a); break;
    case OP_EVENTFD: snprintf(text, size, "s%d = eventfd(0)", f); break;
    case OP_EVENTFD_WRITE: snprintf(text, size, "write(s%d, 8 bytes)", f); break;
    case OP_EVENTFD_READ: snprintf(text, size, "read(s%d, 8 bytes)", f); break;
    case OP_COUNT: break;
    }
}
