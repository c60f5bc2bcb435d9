/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error_queue: what IP_RECVERR and IPV6_RECVERR keep for recvmsg(MSG_ERRQUEUE) (ip(7)). A stack makes a
 * record of each ICMP error and pushes it, and who sends makes one of what is too large; the record is the queue's
 * until a reader takes and frees it. A socket has a queue from the first such option on.
 */
#ifndef SOCKET_ERROR_QUEUE_H
#define SOCKET_ERROR_QUEUE_H

#include <time.h> /* which the next one lacks */
#include <linux/errqueue.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/mpsc.h"
#include "control/endpoint.h"
#include "socket/recv.h"

struct socket;

struct socket_error {
    struct mpsc_node node;
    struct sock_extended_err what;
    struct endpoint offender;
    struct endpoint to;     /* where the datagram went */
    struct arrival arrival; /* of the message: time and header, no packet */
    uint32_t bytes;
    uint8_t data[]; /* of the datagram, as much as was quoted */
};

/* Application: 0 or -ENOBUFS. */
int error_queue_open(struct socket *sock);
/* Any thread. */
bool error_queue_is_empty(const struct socket *sock);
/* Any thread. Takes the record; frees it when too many wait. */
void error_queue_push(struct socket *sock, struct socket_error *record);
/* recvmsg(MSG_ERRQUEUE): bytes of the datagram that failed, or -EAGAIN. */
ssize_t error_queue_recv(struct socket *sock, struct msghdr *msg);
void error_queue_discard(struct socket *sock);
/* Nobody else has the socket any more. */
void error_queue_close(struct socket *sock);

#endif
