/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"

static const char *const kind_names[] = { "tcp4", "tcp6", "udp4", "udp6" };
static const char *const places[] = { "host", "other", "any", "foreign", "mapped host", "mapped any" };
static const char *const hows[] = { "SHUT_RD", "SHUT_WR", "SHUT_RDWR" };

static const char *flag_names(int flags)
{
    static const struct {
        int bit;
        const char *name;
    } names[] = {
        { MSG_DONTWAIT, "DONTWAIT" }, { MSG_PEEK, "PEEK" },       { MSG_WAITALL, "WAITALL" },
        { MSG_TRUNC, "TRUNC" },       { MSG_MORE, "MORE" },       { MSG_NOSIGNAL, "NOSIGNAL" },
        { MSG_OOB, "OOB" },           { MSG_ERRQUEUE, "ERRQUEUE" }, { MSG_EOR, "EOR" },
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
        snprintf(text, sizeof(text), "%s:%d", places[s->place % 6], s->b);
    else
        snprintf(text, sizeof(text), "%s:port of s%d", places[s->place % 6], s->other);
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
    case OP_RECVMSG: snprintf(text, size, "recvmsg(s%d, %d, %s)", f, s->a, flag_names(s->b)); break;
    case OP_READV: snprintf(text, size, "readv(s%d, %d+%d)", f, s->a, s->b); break;
    case OP_WRITEV: snprintf(text, size, "writev(s%d, %d+%d)", f, s->a, s->b); break;
    case OP_SHUTDOWN: snprintf(text, size, "shutdown(s%d, %s)", f, hows[s->a % 3]); break;
    case OP_CLOSE: snprintf(text, size, "close(s%d)", f); break;
    case OP_RESET: snprintf(text, size, "close with RST(s%d)", f); break;
    case OP_DUP: snprintf(text, size, "s%d = dup(s%d)", s->other, f); break;
    case OP_SETOPT: snprintf(text, size, "setsockopt(s%d, %s, %d)", f, oracle_options[s->a].name, s->b); break;
    case OP_GETOPT: snprintf(text, size, "getsockopt(s%d, %s)", f, oracle_options[s->a].name); break;
    case OP_NAMES: snprintf(text, size, "names(s%d)", f); break;
    case OP_FIONREAD: snprintf(text, size, "ioctl(s%d, FIONREAD)", f); break;
    case OP_NONBLOCK: snprintf(text, size, "fcntl(s%d, F_SETFL, %s)", f, s->a ? "O_NONBLOCK" : "0"); break;
    case OP_POLL: snprintf(text, size, "poll(s%d, %s)", f, event_names((uint32_t)s->a)); break;
    case OP_SELECT: snprintf(text, size, "select(all)"); break;
    case OP_FLOOD: snprintf(text, size, "flood(s%d), then drain all", f); break;
    case OP_EPOLL_CREATE: snprintf(text, size, "s%d = epoll_create1(0)", f); break;
    case OP_EPOLL_CTL:
        snprintf(text, size, "epoll_ctl(s%d, %s, s%d, %s)", f,
                 s->a == EPOLL_CTL_ADD ? "ADD" : s->a == EPOLL_CTL_MOD ? "MOD" : "DEL", s->other,
                 epoll_flags((uint32_t)s->b));
        break;
    case OP_EPOLL_WAIT: snprintf(text, size, "epoll_wait(s%d, %d)", f, s->a); break;
    case OP_EVENTFD: snprintf(text, size, "s%d = eventfd(0)", f); break;
    case OP_EVENTFD_WRITE: snprintf(text, size, "write(s%d, 8 bytes)", f); break;
    case OP_EVENTFD_READ: snprintf(text, size, "read(s%d, 8 bytes)", f); break;
    case OP_COUNT: break;
    }
}
