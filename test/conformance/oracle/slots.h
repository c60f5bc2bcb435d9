/* SPDX-License-Identifier: Apache-2.0 */
/* What a sequence's slots hold while it runs; between the files that run its steps. */
#ifndef TEST_CONFORMANCE_ORACLE_SLOTS_H
#define TEST_CONFORMANCE_ORACLE_SLOTS_H

#include "oracle.h"

enum holds { NONE, SOCKET, EPOLL, EVENTFD };

struct slot {
    int fd;
    enum holds holds;
    bool stream;
    uint32_t sent; /* position in the alphabet */
};
extern struct slot slots[SLOTS];

/* Of the step's slot's family, with the port of `other` or the number `b`. */
struct address target(const struct step *s);

/*
 * Left out: what is bound to the wildcard and sends to a name, for then the own address is that of the stack
 * that an earlier call chose, where the kernel asks its routes.
 */
bool is_on_wildcard(int fd);

/*
 * Left out, of an IPv4 datagram socket that has a peer: connect() that fails for want of a route, and a name with
 * MSG_MORE. The peer stays, but the kernel's flow has the other address from then on, and later datagrams go there.
 */
bool would_lose_its_peer(const struct step *s);

/*
 * run_data.c: MSG_MORE has begun a datagram. Left out: connect() then; the kernel's takes the datagram along to the
 * new peer with IPv4, and not with IPv6.
 */
bool is_gathering(int slot);

static inline int number(int slot)
{
    return slot < SLOTS ? slots[slot].fd : -1;
}

/* run_fds.c */
void slot_put(int slot, int fd, enum holds holds); /* what was there is closed */
void step_new(const struct step *s);
void step_duplicate(const struct step *s);
void step_close(const struct step *s);
void step_rights(const struct step *s);

/* run_files.c */
void step_file(const struct step *s);

/* run_groups.c */
void step_group(const struct step *s);
/*
 * Before something goes to a group: it leaves where the own address is, unless IP_MULTICAST_IF said otherwise. False:
 * left out, as there is no own address, and where it leaves is up to the kernel's routes.
 */
bool may_reach_group(const struct step *s);

/* run_data.c */
void step_data(const struct step *s);
void step_flood(const struct step *s);
void step_queues(const struct step *s);

/* run_events.c */
void step_poll(const struct step *s);
void step_select(void);
void step_epoll_control(const struct step *s);
void step_epoll_wait(const struct step *s);
void step_eventfd(const struct step *s);
void say_all_events(void);

/* run_options.c */
void step_option(const struct step *s);
void step_linger(const struct step *s);
void step_tcp_state(const struct step *s);
int tcp_state(int fd); /* of TCP_INFO; -1: it has none */

#endif
