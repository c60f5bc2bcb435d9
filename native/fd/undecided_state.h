/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of a socket that nobody has decided about: for undecided.c and undecided_decide.c. */
#ifndef FD_UNDECIDED_STATE_H
#define FD_UNDECIDED_STATE_H

#include "base/lock.h"
#include "fd/route.h"
#include "fd/undecided.h"
#include "socket/socket.h"

struct remembered {
    struct remembered *next;
    int level, name;
    socklen_t len;
    uint8_t value[];
};

/* A registration in an epoll. */
struct watched {
    struct watched *next;
    int epfd, fd;
    struct epoll_event event;
};

struct undecided {
    struct file file;
    uint8_t domain, type;
    struct lock lock; /* all below */
    bool decided;
    int protocol, backlog;
    bool on_port; /* SO_BINDTODEVICE names an interface that a port of ours stands on */
    bool bound, listening, any_port; /* any_port: bound to whatever number was free */
    _Atomic bool is_left;            /* to another process, which waits on it: serve_others() */
    struct route_answer answer; /* once bound or listening */
    struct endpoint local;      /* as bound; the port is known */
    struct endpoint towards;    /* what decided */
    struct remembered *options, **options_end;
    struct watched *watched;
    struct undecided *next_free;
};

static inline struct undecided *undecided_of(struct file *file)
{
    return container_of(file, struct undecided, file);
}

/* True: still undecided, and the caller has u->lock. */
static inline bool undecided_take(struct undecided *u)
{
    lock_take(&u->lock);
    if (!u->decided)
        return true;
    lock_give(&u->lock);
    return false;
}

/* In a child: the stacks do not run, and nobody waits for them. */
void undecided_nothing_runs(void);

#endif
