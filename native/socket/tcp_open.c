/* SPDX-License-Identifier: Apache-2.0 */
/* How a TCP socket gets its PCB: an active open, or one that a listener accepted. Stack's context. */
#include <errno.h>

#include "control/lwip_address.h"
#include "lwip/tcp.h"
#include "socket/tcp.h"
#include "socket/tcp_hooks.h"

int tcp_err_to_errno(int err)
{
    switch (err) {
    case ERR_OK: return 0;
    case ERR_MEM: return ENOBUFS;
    case ERR_BUF: return EADDRNOTAVAIL;
    case ERR_RTE: return ENETUNREACH;
    case ERR_USE: return EADDRNOTAVAIL;
    case ERR_ALREADY: return EALREADY;
    case ERR_ISCONN: return EISCONN;
    case ERR_CONN: return ENOTCONN;
    case ERR_RST: return ECONNRESET;
    case ERR_CLSD: return 0;
    case ERR_ABRT: return ETIMEDOUT;
    case ERR_TIMEOUT: return ETIMEDOUT;
    default: return err > 0 ? err : EINVAL; /* positive: it is one (tcp_timeout_fail()) */
    }
}

static void take_names(struct socket *sock, struct tcp_pcb *pcb)
{
    endpoint_from_ip(&sock->local, &pcb->local_ip, pcb->local_port);
    endpoint_from_ip(&sock->peer, &pcb->remote_ip, pcb->remote_port);
}

void tcp_adopt(struct socket *sock, struct stack *stack, struct tcp_pcb *pcb)
{
    socket_settle(sock, stack);
    socket_attach(sock, stack);
    take_names(sock, pcb);
    sock->way = WAY_CONNECTED;
    atomic_store_explicit(&sock->state, SOCKET_CONNECTED, memory_order_release);
    tcp_hook(sock, pcb);
    tcp_limit_segments(sock);
}

int tcp_start(struct socket *sock, struct stack *stack)
{
    ip_addr_t local, peer;
    struct tcp_pcb *pcb;
    err_t err;

    endpoint_to_ip(&sock->peer, &peer);
    pcb = tcp_new_ip_type(IP_GET_TYPE(&peer));
    if (pcb == NULL)
        return -ENOBUFS;
    /* Conflicts were judged by bind(); the same port towards another peer is legal, for those who come later too. */
    ip_set_option(pcb, SOF_REUSEADDR);
    if (sock->binding.bound) {
        struct endpoint bound = sock->binding.local;

        if (bound.family != sock->peer.family) /* wildcard of the other family */
            bound = (struct endpoint){ .family = sock->peer.family, .port = bound.port };
        endpoint_to_ip(&bound, &local);
        err = tcp_bind(pcb, &local, bound.port);
        if (err != ERR_OK) {
            tcp_abort(pcb);
            return err == ERR_USE ? -EADDRINUSE : -tcp_err_to_errno(err);
        }
    } else if (sock->local.family == sock->peer.family && !endpoint_is_any(&sock->local)) {
        endpoint_to_ip(&sock->local, &local); /* bind()'s, whose port went back: tcp_give_port_back() */
        ip_addr_copy(pcb->local_ip, local);
    }
    tcp_hook(sock, pcb);
    atomic_store_explicit(&sock->state, SOCKET_CONNECTING, memory_order_release);
    err = tcp_connect(pcb, &peer, sock->peer.port, tcp_on_connected);
    if (err != ERR_OK) {
        tcp_unhook(sock);
        tcp_abort(pcb);
        atomic_store_explicit(&sock->state, SOCKET_IDLE, memory_order_release);
        return -tcp_err_to_errno(err);
    }
    socket_attach(sock, stack);
    endpoint_from_ip(&sock->local, &pcb->local_ip, pcb->local_port);
    return 0;
}
