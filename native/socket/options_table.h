/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the options that are a plain value; for options*.c alone. */
#ifndef SOCKET_OPTIONS_TABLE_H
#define SOCKET_OPTIONS_TABLE_H

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>

#include "socket/socket.h"

#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

#define FIN_TIMEOUT_S 60 /* the kernel's fixed default */

enum option_kind { BOOL, INT, U8, STRICT /* a BOOL that takes 0 and 1 alone */ };
enum option_on { ANY = 3, TCP = 1, UDP = 2 };

struct option_row {
    int level, name;
    enum option_kind kind;
    enum option_on on;
    size_t offset;
    long min, max; /* of what may be set */
};

/* NULL: not in the table, or not for that kind of socket. */
const struct option_row *socket_option_find(const struct socket *sock, int level, int name);

/* What a level that nobody serves answers, before the length is looked at (ip_getsockopt() and
 * ipv6_getsockopt() of the kernel). 0: it is served. */
int socket_option_unserved(const struct socket *sock, int level);

static inline enum timestamp timestamp_kind(int name)
{
    switch (name) {
    case SO_TIMESTAMP: return TIMESTAMP_US;
    case SO_TIMESTAMPNS: return TIMESTAMP_NS;
    case SO_TIMESTAMP_NEW: return TIMESTAMP_US_NEW;
    default: return TIMESTAMP_NS_NEW;
    }
}

#endif
