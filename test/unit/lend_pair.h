/* SPDX-License-Identifier: Apache-2.0 */
/* A connection within the process, for the tests of lending. */
#ifndef LEND_PAIR_H
#define LEND_PAIR_H

#include <sys/socket.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"

static inline void pair(int port, int *client, int *server)
{
    struct sockaddr_in a = address("10.0.0.1", port);
    int listener = ph_socket(AF_INET, SOCK_STREAM, 0), on = 1;

    /* The port is used again and again, while connections to it are about. */
    ck_assert_int_eq(ph_setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    ck_assert_int_eq(ph_bind(listener, (void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(ph_listen(listener, 1), 0);
    *client = ph_socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(ph_connect(*client, (void *)&a, sizeof(a)), 0);
    *server = ph_accept(listener, NULL, NULL);
    ck_assert_int_ge(*server, 0);
    ck_assert_int_eq(ph_close(listener), 0);
}

#endif
