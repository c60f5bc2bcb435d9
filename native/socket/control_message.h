/* SPDX-License-Identifier: Apache-2.0 */
/* Ancillary data of datagrams (cmsg(3)): IP_PKTINFO, IPV6_PKTINFO, SO_TIMESTAMP. */
#ifndef SOCKET_CONTROL_MESSAGE_H
#define SOCKET_CONTROL_MESSAGE_H

#include "socket/socket.h"

/* Writes what the socket's options ask for; sets msg_controllen, and MSG_CTRUNC where it did not fit. */
void control_message_arrival(struct socket *sock, const struct arrival *a, struct msghdr *msg);

#endif
