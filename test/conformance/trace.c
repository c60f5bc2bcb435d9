/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include <arpa/inet.h>
#include <stdarg.h>

static int out = -1;
static const char *current_section;
static volatile sig_atomic_t pipes, pipes_told;
static int ports[64], ports_count;

static void on_pipe(int number)
{
    (void)number;
    pipes++;
}

void trace_start(int fd)
{
    struct sigaction action = { .sa_handler = on_pipe, .sa_flags = SA_RESTART };

    out = fd;
    sigaction(SIGPIPE, &action, NULL);
}

void trace_scenario(void)
{
    current_section = NULL;
    ports_count = 0;
    pipes_told = pipes;
}

void section(const char *name)
{
    current_section = name;
}

/* One line, one write: a scenario that hangs has said all that came before. */
static void line(const char *format, ...)
{
    char text[1024];
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(text, sizeof(text) - 1, format, list);
    va_end(list);
    if (n > (int)sizeof(text) - 2)
        n = (int)sizeof(text) - 2;
    text[n++] = '\n';
    if (write(out, text, (size_t)n) != n)
        _exit(99);
}

/* "section: label", the calls without the table's name. */
static const char *labelled(const char *label)
{
    static char text[512];
    size_t n = 0;

    if (current_section)
        n = (size_t)snprintf(text, sizeof(text), "%s: ", current_section);
    for (const char *p = label; *p && n < sizeof(text) - 1;) {
        if (strncmp(p, "sys.", 4) == 0) {
            p += 4;
            continue;
        }
        text[n++] = *p++;
    }
    text[n] = 0;
    return text;
}

const char *error_name(int error)
{
    const char *name = error == EAGAIN ? "EAGAIN" : strerrorname_np(error);

    return name ? name : "?";
}

static const char *signals(void)
{
    if (pipes == pipes_told)
        return "";
    pipes_told = pipes;
    return " SIGPIPE";
}

long long trace_result(const char *call, long long result, int error)
{
    if (result < 0)
        line("%s = %lld %s%s", labelled(call), result, error_name(error), signals());
    else
        line("%s = %lld%s", labelled(call), result, signals());
    errno = error;
    return result;
}

long long trace_fd(const char *call, long long result, int error)
{
    if (result < 0)
        return trace_result(call, result, error);
    line("%s = fd", labelled(call));
    return result;
}

void trace_note(const char *label, const char *format, ...)
{
    char text[512];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    line("%s = %s", labelled(label), text);
}

const char *event_names(uint32_t events)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        { EPOLLIN, "IN" },         { EPOLLPRI, "PRI" },       { EPOLLOUT, "OUT" },
        { EPOLLERR, "ERR" },       { EPOLLHUP, "HUP" },       { POLLNVAL, "NVAL" },
        { EPOLLRDNORM, "RDNORM" }, { EPOLLRDBAND, "RDBAND" }, { EPOLLWRNORM, "WRNORM" },
        { EPOLLWRBAND, "WRBAND" }, { EPOLLRDHUP, "RDHUP" },
    };
    static char text[4][128];
    static unsigned turn;
    char *to = text[turn++ % 4];

    to[0] = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (events & names[i].bit) {
            if (to[0])
                strcat(to, " ");
            strcat(to, names[i].name);
        }
    }
    return to[0] ? to : "none";
}

static int named_port(int port)
{
    for (int i = 0; i < ports_count; i++) {
        if (ports[i] == port)
            return i + 1;
    }
    if (ports_count < 64)
        ports[ports_count++] = port;
    return ports_count;
}

const char *address_name(const void *address)
{
    static char text[4][128];
    static unsigned turn;
    char *to = text[turn++ % 4], host[64] = "?", where[16] = "0";
    struct sockaddr_storage storage;
    const struct sockaddr_in *in = (const void *)&storage;
    const struct sockaddr_in6 *in6 = (const void *)&storage;
    int port = 0;

    memcpy(&storage, address, sizeof(struct sockaddr_in6));
    if (storage.ss_family == AF_INET) {
        uint32_t ip = ntohl(in->sin_addr.s_addr);

        port = ntohs(in->sin_port);
        strcpy(host, ip == 0 ? "0.0.0.0" : ip >> 24 == 127 || ip >> 8 == 0x0a0000 ? "host4" : "other4");
    } else if (storage.ss_family == AF_INET6) {
        const struct in6_addr *a = &in6->sin6_addr;

        port = ntohs(in6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(a))
            strcpy(host, a->s6_addr[12] == 127 || a->s6_addr[12] == 10 ? "mapped-host"
                         : a->s6_addr32[3] == 0                        ? "mapped-any"
                                                                       : "mapped-other");
        else if (IN6_IS_ADDR_UNSPECIFIED(a))
            strcpy(host, "::");
        else
            strcpy(host, IN6_IS_ADDR_LOOPBACK(a) || a->s6_addr[0] == 0xfd ? "host6" : "other6");
        if (in6->sin6_scope_id)
            strcat(host, "%scope");
    } else {
        snprintf(to, 128, "family %d", storage.ss_family);
        return to;
    }
    if (port)
        snprintf(where, sizeof(where), "p%d", named_port(port));
    snprintf(to, 128, "%s:%s", host, where);
    return to;
}

void trace_events(const char *label, int fd)
{
    /* POLLNORM and BAND say the same as IN and OUT; they are asked for in scenarios of their own. */
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP };
    int result;

    errno = 0;
    result = sys.poll(&p, 1, 0);
    if (result < 0)
        trace_result(label, result, errno);
    else
        trace_note(label, "%s", event_names((uint16_t)p.revents));
}

void trace_names(const char *label, int fd)
{
    struct sockaddr_storage local = { 0 }, peer = { 0 };
    socklen_t local_len = sizeof(local), peer_len = sizeof(peer);
    char text[256];
    int n;

    errno = 0;
    if (sys.getsockname(fd, (void *)&local, &local_len) < 0)
        n = snprintf(text, sizeof(text), "%s", error_name(errno));
    else
        n = snprintf(text, sizeof(text), "%s (%u)", address_name(&local), local_len);
    if (sys.getpeername(fd, (void *)&peer, &peer_len) < 0)
        snprintf(text + n, sizeof(text) - (size_t)n, " -> %s", error_name(errno));
    else
        snprintf(text + n, sizeof(text) - (size_t)n, " -> %s (%u)", address_name(&peer), peer_len);
    trace_note(label, "%s", text);
}

void trace_option(const char *label, int fd, int level, int name)
{
    int value = -12345;
    socklen_t len = sizeof(value);

    errno = 0;
    if (sys.getsockopt(fd, level, name, &value, &len) < 0)
        trace_note(label, "%s", error_name(errno));
    else if (level == SOL_SOCKET && name == SO_ERROR)
        trace_note(label, "%s", value ? error_name(value) : "0");
    else
        trace_note(label, "%d (%u)", value, len);
}

static int by_data(const void *a, const void *b)
{
    const struct epoll_event *x = a, *y = b;

    return x->data.u64 < y->data.u64 ? -1 : x->data.u64 > y->data.u64;
}

void trace_epoll(const char *label, int ep, int timeout_ms)
{
    struct epoll_event got[16];
    char text[512] = "";
    int count, n = 0;

    errno = 0;
    count = sys.epoll_wait(ep, got, 16, timeout_ms);
    if (count < 0) {
        trace_result(label, count, errno);
        return;
    }
    qsort(got, (size_t)count, sizeof(got[0]), by_data);
    for (int i = 0; i < count; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, " [%llu %s]",
                      (unsigned long long)got[i].data.u64, event_names(got[i].events));
    trace_note(label, "%d%s", count, text);
}

void trace_recv(const char *label, int fd, size_t bytes, int flags)
{
    static char buffer[70000];
    char shown[64] = "";
    ssize_t got;

    errno = 0;
    got = sys.recv(fd, buffer, bytes, flags);
    if (got < 0) {
        trace_result(label, got, errno);
        return;
    }
    for (ssize_t i = 0; i < got && i < 32 && (size_t)i < bytes && !(flags & MSG_TRUNC); i++)
        shown[i] = buffer[i] >= ' ' && buffer[i] < 127 ? buffer[i] : '.';
    trace_note(label, "%zd \"%s\"%s", got, shown, signals());
}
