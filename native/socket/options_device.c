/* SPDX-License-Identifier: Apache-2.0 */
/* getsockopt(2), setsockopt(2): which interface a socket is bound to, and by which its datagrams leave. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "base/privilege.h"
#include "control/device.h"
#include "socket/options_table.h"
#include "socket/tcp.h"
#include "socket/udp.h"

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

static bool is_unicast(int level, int name)
{
    return (level == IPPROTO_IP && name == IP_UNICAST_IF) || (level == IPPROTO_IPV6 && name == IPV6_UNICAST_IF);
}

static int get_int(int number, void *value, socklen_t *len)
{
    if (*len > sizeof(number))
        *len = sizeof(number);
    memcpy(value, &number, *len);
    return 0;
}

int socket_device_get(struct socket *sock, int level, int name, void *value, socklen_t *len)
{
    const struct socket_options *o = &sock->options;
    const char *text;

    if (is_unicast(level, name))
        return get_int((int)htonl(socket_options_unicast_device(o, level == IPPROTO_IP ? AF_INET : AF_INET6)), value,
                       len);
    if (level != SOL_SOCKET || (name != SO_BINDTODEVICE && name != SO_BINDTOIFINDEX))
        return -ENOPROTOOPT;
    if (name == SO_BINDTOIFINDEX)
        return get_int((int)o->device, value, len);
    if (o->device == 0) {
        *len = 0;
        return 0;
    }
    if (*len < DEVICE_NAME_BYTES) /* sock_getbindtodevice() */
        return -EINVAL;
    text = device_name(o->device);
    if (text == NULL)
        return -ENODEV;
    *len = (socklen_t)strlen(text) + 1;
    memcpy(value, text, *len);
    return 0;
}

/* sock_bindtoindex_locked(): who is bound already may be moved by the privileged only. */
static int bind_to(struct socket *sock, unsigned device)
{
    if (sock->options.device && !privilege_one_of(1u << CAP_NET_RAW))
        return -EPERM;
    sock->options.device = device;
    ports_bind_device(&sock->binding, device);
    if (sock->type == SOCK_DGRAM)
        udp_device_changed(sock);
    else if (socket_state(sock) == SOCKET_LISTENING)
        tcp_listen_options_changed(sock);
    else
        socket_options_apply(sock);
    return 0;
}

static int bind_to_name(struct socket *sock, const void *value, socklen_t len)
{
    char name[DEVICE_NAME_BYTES] = { 0 };
    unsigned device;

    if (len > 0) /* without a name, which takes the device away, there may be no pointer either */
        memcpy(name, value, len < sizeof(name) ? len : sizeof(name) - 1);
    device = device_find(name);
    return name[0] != '\0' && device == 0 ? -ENODEV : bind_to(sock, device);
}

/* In network byte order (ip(7)). */
static int leave_by(struct socket *sock, int level, const void *value, socklen_t len)
{
    struct socket_options *o = &sock->options;
    uint32_t number;

    if (len != sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    number = ntohl(number);
    if (number != 0 && device_name(number) == NULL)
        return -EADDRNOTAVAIL;
    *(level == IPPROTO_IP ? &o->unicast_device : &o->unicast_device6) = (uint8_t)number;
    socket_options_apply(sock);
    return 0;
}

int socket_device_set(struct socket *sock, int level, int name, const void *value, socklen_t len)
{
    int number;

    if (is_unicast(level, name))
        return leave_by(sock, level, value, len);
    if (level != SOL_SOCKET || (name != SO_BINDTODEVICE && name != SO_BINDTOIFINDEX))
        return -ENOPROTOOPT;
    if (name == SO_BINDTODEVICE)
        return bind_to_name(sock, value, len);
    if (len < (socklen_t)sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    return number < 0 ? -EINVAL : bind_to(sock, (unsigned)number); /* whether there is one or not */
}
