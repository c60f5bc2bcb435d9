/* SPDX-License-Identifier: Apache-2.0 */
/* The socket itself, and what the program sets before the decision. */
#include "fd/undecided.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/kernel_calls.h"
#include "base/log.h"
#include "fd/fd_table.h"
#include "fd/undecided_state.h"

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

/* Memory is kept for fd_use(); see fd_table.h. */
static struct lock free_lock;
static struct undecided *free_list;

/* ---- life ---- */

static int on_close(struct file *file)
{
    struct undecided *u = undecided_of(file);

    while (u->options) {
        struct remembered *option = u->options;

        u->options = option->next;
        free(option);
    }
    while (u->watched) {
        struct watched *watched = u->watched;

        u->watched = watched->next;
        free(watched);
    }
    return 0;
}

static void on_release(struct file *file)
{
    struct undecided *u = undecided_of(file);

    lock_take(&free_lock);
    u->next_free = free_list;
    free_list = u;
    lock_give(&free_lock);
}

static struct undecided *memory(void)
{
    struct undecided *u;

    lock_take(&free_lock);
    u = free_list;
    if (u)
        free_list = u->next_free;
    lock_give(&free_lock);
    return u ? u : calloc(1, sizeof(*u));
}

int undecided_open(int domain, int type, int protocol)
{
    int fd = kernel.socket(domain, type, protocol), flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    struct undecided *u;

    if (fd < 0)
        return -errno;
    /* UNIX sockets and the like, raw ones, and what else the kernel has (MPTCP, SCTP, ICMP), are the kernel's. */
    type &= ~flags;
    if ((domain != AF_INET && domain != AF_INET6) || (type != SOCK_STREAM && type != SOCK_DGRAM) ||
        (protocol != 0 && protocol != (type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP))) {
        fd_forget(fd);
        return fd;
    }
    u = memory();
    if (u == NULL)
        return fd;
    memset((uint8_t *)u + sizeof(u->file), 0, sizeof(*u) - sizeof(u->file));
    u->domain = (uint8_t)domain;
    u->type = (uint8_t)type;
    u->protocol = protocol;
    u->options_end = &u->options;
    file_init(&u->file, FILE_UNDECIDED, on_close, on_release);
    return fd_adopt(fd, &u->file) ? fd : -EMFILE;
}

/* ---- what is remembered ---- */

/*
 * The socket was bound to an interface, or to none any more. One that no port of ours stands on makes it the
 * kernel's. Our stacks know interfaces by names, so that is what is remembered.
 */
static bool is_bound_elsewhere(struct undecided *u, int fd, char name[IF_NAMESIZE])
{
    socklen_t len = IF_NAMESIZE;

    if (kernel.getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len) < 0 || len == 0)
        name[0] = '\0';
    lock_take(&u->lock);
    u->on_port = name[0] != '\0' && route_stands_on(name);
    lock_give(&u->lock);
    return name[0] != '\0' && !u->on_port;
}

int undecided_setsockopt(struct file *file, int fd, int level, int name, const void *value,
                         socklen_t len)
{
    struct undecided *u = undecided_of(file);
    char interface[IF_NAMESIZE] = "";
    struct remembered *option;

    if (kernel.setsockopt(fd, level, name, value, len) < 0)
        return -errno;
    if (level == SOL_SOCKET && (name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX)) {
        if (is_bound_elsewhere(u, fd, interface)) {
            undecided_leave(file, fd, "bound to an interface that no port of ours stands on");
            return 0;
        }
        name = SO_BINDTODEVICE;
        value = interface;
        len = sizeof(interface);
    }
    option = malloc(sizeof(*option) + len);
    if (option == NULL)
        return -ENOBUFS;
    *option = (struct remembered){ .level = level, .name = name, .len = len };
    if (len > 0)
        memcpy(option->value, value, len);
    if (!undecided_take(u)) {
        free(option);
        return 0;
    }
    *u->options_end = option;
    u->options_end = &option->next;
    lock_give(&u->lock);
    return 0;
}

int undecided_getsockname(struct file *file, int fd, struct sockaddr *addr, socklen_t *len)
{
    struct undecided *u = undecided_of(file);

    lock_take(&u->lock);
    if (u->bound && u->answer.verdict == ROUTE_OURS && !u->decided) {
        if (addr == NULL || len == NULL) {
            lock_give(&u->lock);
            return -EFAULT;
        }
        endpoint_to_sockaddr(&u->local, u->domain, addr, len);
        lock_give(&u->lock);
        return 0;
    }
    lock_give(&u->lock);
    return kernel.getsockname(fd, addr, len) < 0 ? -errno : 0;
}

void undecided_watch(struct file *file, int op, int epfd, int fd, const struct epoll_event *event)
{
    struct undecided *u = undecided_of(file);
    struct watched **link, *found;

    if (!undecided_take(u))
        return;
    for (link = &u->watched; *link; link = &(*link)->next)
        if ((*link)->epfd == epfd && (*link)->fd == fd)
            break;
    found = *link;
    if (op == EPOLL_CTL_DEL && found) {
        *link = found->next;
        free(found);
    } else if (op != EPOLL_CTL_DEL) {
        if (found == NULL && (found = *link = calloc(1, sizeof(*found))) == NULL)
            log_warn("out of memory: an event registration will be lost");
        else
            *found = (struct watched){ .next = found->next, .epfd = epfd, .fd = fd, .event = *event };
    }
    lock_give(&u->lock);
}

void undecided_inherited(struct file *file)
{
    undecided_of(file)->lock = (struct lock){ 0 };
}

void undecided_forked(void)
{
    undecided_nothing_runs();
    free_lock = (struct lock){ 0 };
    free_list = NULL;
}
