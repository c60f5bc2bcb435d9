/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getsockopt(2): the options of the table, and the few that are not a plain value. One that we do not
 * know answers ENOPROTOOPT, as the kernel does.
 */
#include <errno.h>
#include <string.h>
#include <sys/time.h>

#include "control/address.h"
#include "lwip/tcp_congestion.h"
#include "socket/options_table.h"
#include "socket/tcp.h"

static int give(void *value, socklen_t *len, const void *from, size_t bytes)
{
    if (*len > bytes)
        *len = (socklen_t)bytes;
    if (*len) /* there may be no memory then */
        memcpy(value, from, *len);
    return 0;
}

static int give_int(void *value, socklen_t *len, int number)
{
    return give(value, len, &number, sizeof(number));
}

static int give_time(void *value, socklen_t *len, uint64_t us)
{
    struct timeval tv = { .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000) };

    return give(value, len, &tv, sizeof(tv));
}

static int get_socket_level(struct socket *sock, int name, void *value, socklen_t *len)
{
    const struct socket_options *o = &sock->options;
    struct linger linger;

    switch (name) {
    case SO_ERROR: return give_int(value, len, socket_take_error(sock));
    case SO_TYPE: return give_int(value, len, sock->type);
    case SO_PROTOCOL: return give_int(value, len, sock->protocol);
    case SO_DOMAIN: return give_int(value, len, sock->family);
    case SO_ACCEPTCONN: return give_int(value, len, socket_state(sock) == SOCKET_LISTENING);
    case SO_RCVBUF: return give_int(value, len, (int)(o->receive_buffer_bytes * 2));
    case SO_SNDBUF: return give_int(value, len, (int)(o->send_buffer_bytes * 2));
    case SO_RCVLOWAT: return give_int(value, len, o->low_water ? o->low_water : 1);
    case SO_SNDLOWAT: return give_int(value, len, 1);
    case SO_TIMESTAMP:
    case SO_TIMESTAMPNS:
    case SO_TIMESTAMPNS_NEW: return give_int(value, len, o->timestamp == timestamp_kind(name));
    case SO_TIMESTAMP_NEW: return give_int(value, len, o->timestamp >= TIMESTAMP_US_NEW); /* of both */
    case SO_INCOMING_NAPI_ID: return give_int(value, len, 0);
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_NEW: return give_time(value, len, o->receive_timeout_us);
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_NEW: return give_time(value, len, o->send_timeout_us);
    case SO_LINGER:
        linger.l_onoff = o->linger_s != LINGER_OFF;
        linger.l_linger = o->linger_last_s;
        return give(value, len, &linger, sizeof(linger));
    default: return -ENOPROTOOPT;
    }
}

static int get_tcp_level(struct socket *sock, int name, void *value, socklen_t *len)
{
    struct tcp_info info;

    switch (name) {
    case TCP_INFO:
        tcp_info_fill(sock, &info);
        return give(value, len, &info, sizeof(info));
    case TCP_MAXSEG:
        tcp_info_fill(sock, &info);
        return give_int(value, len,
                        (int)(info.tcpi_snd_mss ? info.tcpi_snd_mss : sock->options.max_segment ? : 536));
    case TCP_CONGESTION: {
        char name16[16] = { 0 };

        strncpy(name16, tcp_congestion_name(sock->options.congestion), sizeof(name16) - 1);
        return give(value, len, name16, sizeof(name16));
    }
    case TCP_FASTOPEN:
    case TCP_FASTOPEN_CONNECT: return give_int(value, len, 0);
    default: return -ENOPROTOOPT;
    }
}

/* 0: there is no peer. */
static uint32_t mtu_to_peer(const struct socket *sock)
{
    uint8_t state = socket_state(sock);

    return state == SOCKET_CONNECTED || state == SOCKET_CONNECTING ? address_mtu(&sock->peer, true) : 0;
}

static int get_mtu(struct socket *sock, void *value, socklen_t *len)
{
    int mtu = (int)mtu_to_peer(sock);

    return mtu ? give_int(value, len, mtu) : -ENOTCONN;
}

static int get_path_mtu(struct socket *sock, void *value, socklen_t *len)
{
    struct ip6_mtuinfo info = { .ip6m_mtu = mtu_to_peer(sock) };

    if (*len < sizeof(info))
        return -EINVAL;
    return info.ip6m_mtu ? give(value, len, &info, sizeof(info)) : -ENOTCONN;
}

static int number_of(struct socket *sock, const struct option_row *row)
{
    const uint8_t *field = (const uint8_t *)&sock->options + row->offset;
    int number;

    switch (row->kind) {
    case BOOL:
    case STRICT: return *(const bool *)field;
    case U8: return *field;
    case INT: break;
    }
    number = *(const int *)field;
    if (row->level == SOL_SOCKET && row->name == SO_INCOMING_CPU && number < 0 && socket_stack(sock) != NULL)
        return socket_stack(sock)->core;
    if (row->level == IPPROTO_TCP)
        return row->name == TCP_LINGER2 && number == 0 ? FIN_TIMEOUT_S : number;
    if (number == -1 && row->level != SOL_SOCKET)
        number = 64; /* IP_TTL, IPV6_UNICAST_HOPS: the stack's default */
    return number;
}

int socket_option_get(struct socket *sock, int level, int name, void *value, socklen_t *len)
{
    const struct option_row *row = socket_option_find(sock, level, name);
    int number, result = socket_option_unserved(sock, level);

    if (result < 0)
        return result;
    if (len == NULL || (value == NULL && (int)*len > 0))
        return -EFAULT;
    if ((int)*len < 0 && level != IPPROTO_IPV6) /* which takes it for a large one */
        return -EINVAL;
    if (row == NULL) {
        result = socket_device_get(sock, level, name, value, len);
        if (result != -ENOPROTOOPT)
            return result;
        if (level == SOL_SOCKET)
            return get_socket_level(sock, name, value, len);
        if (level == IPPROTO_TCP)
            return get_tcp_level(sock, name, value, len);
        if (level == IPPROTO_IP && name == IP_OPTIONS) {
            *len = 0;
            return 0;
        }
        if ((level == IPPROTO_IP && name == IP_MTU) || (level == IPPROTO_IPV6 && name == IPV6_MTU))
            return get_mtu(sock, value, len);
        if (level == IPPROTO_IPV6 && name == IPV6_PATHMTU)
            return get_path_mtu(sock, value, len);
        return -ENOPROTOOPT;
    }
    number = number_of(sock, row);
    if (level == IPPROTO_IP && *len > 0 && *len < sizeof(number) && number >= 0 && number <= 255) {
        *(uint8_t *)value = (uint8_t)number; /* programs of old ask for one byte (ip(7)) */
        *len = 1;
        return 0;
    }
    return give_int(value, len, number);
}
