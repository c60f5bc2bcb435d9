/* SPDX-License-Identifier: Apache-2.0 */
/* Ancillary data (cmsg(3)): IP_PKTINFO, IP_RECVTTL, SO_TIMESTAMP and their likes. */
#ifndef SOCKET_CONTROL_MESSAGE_H
#define SOCKET_CONTROL_MESSAGE_H

#include "socket/socket.h"

/* Writes what the socket's options ask for; sets msg_controllen, and MSG_CTRUNC where it did not fit. */
void control_message_arrival(struct socket *sock, const struct arrival *a, struct msghdr *msg);
/* Of a record of the error queue, where the headers (if it has any) are the ICMP message's, and `data` is
 * IP_RECVERR's. */
void control_message_error(struct socket *sock, const struct arrival *a, bool has_headers, const void *data,
                           size_t bytes, struct msghdr *msg);
/* Of a stream: when its last bytes arrived, if SO_TIMESTAMP or its likes ask for that (0: none did), and with
 * TCP_INQ how many are left. */
void control_message_stream(struct socket *sock, uint64_t arrived_ns, struct msghdr *msg);

#endif
