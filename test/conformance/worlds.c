/* SPDX-License-Identifier: Apache-2.0 */
#include "worlds.h"

#include <stdarg.h>
#include <sys/sendfile.h>

#include "pronghorn.h"

const struct world worlds[] = {
    { .name = "kernel" },
    { .name = "dedicated", .ours = true },
    { .name = "inline, virtual numbers", .ours = true, .virtual_numbers = true, .is_inline = true },
    { .name = "inline", .ours = true, .is_inline = true },
};
const int worlds_count = sizeof(worlds) / sizeof(worlds[0]);
unsigned world_patience = 1;
const char *world_caretaker_ms = "10";
struct world world;
struct calls sys;

static const struct calls kernel_table = {
    .socket = socket, .bind = bind, .listen = listen, .accept4 = accept4, .connect = connect,
    .shutdown = shutdown, .close = close, .getsockname = getsockname, .getpeername = getpeername,
    .getsockopt = getsockopt, .setsockopt = setsockopt, .send = send, .sendto = sendto,
    .sendmsg = sendmsg, .sendmmsg = sendmmsg, .recv = recv, .recvfrom = recvfrom,
    .recvmsg = recvmsg, .recvmmsg = recvmmsg, .read = read, .write = write, .readv = readv,
    .writev = writev, .fcntl = fcntl, .dup2 = dup2, .dup3 = dup3, .close_range = close_range,
    .sendfile = sendfile, .splice = splice, .ioctl = ioctl, .poll = poll, .ppoll = ppoll,
    .select = select, .epoll_create1 = epoll_create1, .epoll_ctl = epoll_ctl,
    .epoll_wait = epoll_wait, .epoll_pwait = epoll_pwait, .epoll_pwait2 = epoll_pwait2,
};

static const struct calls our_table = {
    .socket = ph_socket, .bind = ph_bind, .listen = ph_listen, .accept4 = ph_accept4,
    .connect = ph_connect, .shutdown = ph_shutdown, .close = ph_close,
    .getsockname = ph_getsockname, .getpeername = ph_getpeername, .getsockopt = ph_getsockopt,
    .setsockopt = ph_setsockopt, .send = ph_send, .sendto = ph_sendto, .sendmsg = ph_sendmsg,
    .sendmmsg = ph_sendmmsg, .recv = ph_recv, .recvfrom = ph_recvfrom, .recvmsg = ph_recvmsg,
    .recvmmsg = ph_recvmmsg, .read = ph_read, .write = ph_write, .readv = ph_readv,
    .writev = ph_writev, .fcntl = ph_fcntl, .dup2 = ph_dup2, .dup3 = ph_dup3,
    .close_range = ph_close_range, .sendfile = ph_sendfile, .splice = ph_splice,
    .ioctl = ph_ioctl, .poll = ph_poll, .ppoll = ph_ppoll,
    .select = ph_select, .epoll_create1 = ph_epoll_create1, .epoll_ctl = ph_epoll_ctl,
    .epoll_wait = ph_epoll_wait, .epoll_pwait = ph_epoll_pwait,
    .epoll_pwait2 = ph_epoll_pwait2,
};

/* ---- what is open ---- */

static struct calls raw;
static int opened[256], opened_count;
static pthread_mutex_t opened_lock = PTHREAD_MUTEX_INITIALIZER;

static int remember(int fd)
{
    pthread_mutex_lock(&opened_lock);
    if (fd >= 0 && opened_count < 256)
        opened[opened_count++] = fd;
    pthread_mutex_unlock(&opened_lock);
    return fd;
}

static void forget(int fd)
{
    pthread_mutex_lock(&opened_lock);
    for (int i = 0; i < opened_count; i++) {
        if (opened[i] == fd) {
            opened[i] = opened[--opened_count];
            break;
        }
    }
    pthread_mutex_unlock(&opened_lock);
}

static int socket_kept(int domain, int type, int protocol)
{
    return remember(raw.socket(domain, type, protocol));
}

static int accept4_kept(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return remember(raw.accept4(fd, addr, len, flags));
}

static int epoll_create1_kept(int flags)
{
    return remember(raw.epoll_create1(flags));
}

static int close_kept(int fd)
{
    forget(fd);
    return raw.close(fd);
}

static int fcntl_kept(int fd, int cmd, ...)
{
    va_list list;
    long argument;
    int result;

    va_start(list, cmd);
    argument = va_arg(list, long);
    va_end(list);
    result = raw.fcntl(fd, cmd, argument);
    return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? remember(result) : result;
}

void world_tidy(void)
{
    while (opened_count > 0) {
        struct linger none = { 0 };

        /* Nothing may wait here, and nothing may be reset that a scenario still looks at. */
        raw.setsockopt(opened[opened_count - 1], SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        raw.close(opened[--opened_count]);
    }
}

bool world_enter(const struct world *w)
{
    const struct ph_setting settings[] = {
        { "memory.hugepages", "off" },
        { "stack.drive", w->is_inline ? "inline" : "dedicated" },
        { "fd.numbers", w->virtual_numbers ? "virtual" : "kernel" },
        { "port", &group_port ? group_port : "" },
        { "stack.caretaker_ms", world_caretaker_ms },
        { "log.level", "error" },
    };

    world = *w;
    raw = w->ours ? our_table : kernel_table;
    sys = raw;
    sys.socket = socket_kept;
    sys.accept4 = accept4_kept;
    sys.epoll_create1 = epoll_create1_kept;
    sys.close = close_kept;
    sys.fcntl = fcntl_kept;
    if (w->ours && ph_init(settings, sizeof(settings) / sizeof(settings[0])) < 0) {
        fprintf(stderr, "ph_init: %s\n", ph_error());
        return false;
    }
    return true;
}
