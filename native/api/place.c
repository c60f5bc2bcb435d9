/* SPDX-License-Identifier: Apache-2.0 */
/* Where a socket is served: for those who pin threads and read the statistics of a port. */
#include "api/serve.h"
#include "control/address.h"
#include "lwip/netif_port.h"
#include "pronghorn.h"
#include "stack/group.h"

static void place_of(struct socket *sock, struct ph_place *place)
{
    struct stack *stack = socket_stack(sock);
    int port;

    if (stack == NULL || (socket_state(sock) == SOCKET_LISTENING && group.count > 1))
        return;
    place->stack = (int)stack->id;
    place->core = stack->core;
    port = stack->ports_count == 1 ? 0 : address_port(stack->id, &sock->local);
    if (port >= 0)
        netif_port_place(stack->ports[port], &place->port, &place->queue);
}

int ph_place(int fd, struct ph_place *place)
{
    int error;
    struct socket *sock = serve_use(fd, &error);

    if (sock == NULL) {
        errno = error > 0 ? error : fd < 0 ? EBADF : EOPNOTSUPP;
        return -1;
    }
    *place = (struct ph_place){ .stack = -1, .core = -1, .port = -1, .queue = -1 };
    place_of(sock, place);
    file_unuse(&sock->file);
    return 0;
}
