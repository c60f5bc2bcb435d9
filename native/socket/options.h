/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What setsockopt(2) remembers of a socket. A plain record: set at any time, applied to lwIP when the
 * socket gets its PCB and again when a value changes afterwards. Accepted sockets inherit a copy.
 */
#ifndef SOCKET_OPTIONS_H
#define SOCKET_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct socket;

#define LINGER_OFF (-1)

/* SO_TIMESTAMP and its likes: what a message tells of its arrival. */
enum timestamp { TIMESTAMP_NONE, TIMESTAMP_US, TIMESTAMP_NS, TIMESTAMP_US_NEW, TIMESTAMP_NS_NEW };

struct socket_options {
    /* socket(7) */
    bool reuse_addr, reuse_port, keep_alive, broadcast, oob_inline, dont_route;
    bool debug, select_error_queue, tell_drops;
    uint8_t timestamp; /* enum timestamp: at most one kind at a time */
    int linger_s;      /* LINGER_OFF, or seconds */
    int linger_last_s; /* the seconds that were set last; told even while it is off */
    uint32_t receive_buffer_bytes, send_buffer_bytes; /* as used; the caller sees them doubled */
    bool receive_buffer_fixed, send_buffer_fixed;     /* set by the user: no autotuning */
    uint64_t receive_timeout_us, send_timeout_us;     /* 0: none */
    uint32_t device; /* SO_BINDTODEVICE: control/device.h; 0: any */
    int priority, mark, low_water, busy_poll_us;
    int incoming_core; /* -1: that of the socket's stack is told */
    /* tcp(7) */
    bool no_delay, cork, quick_ack;
    bool ack_at_once; /* TCP_QUICKACK was asked for; it is shown from the beginning, as the kernel's */
    bool tell_queued; /* TCP_INQ */
    uint32_t keep_idle_s, keep_interval_s, keep_count;
    uint32_t user_timeout_ms, defer_accept_s, syn_count, max_segment, linger2_s, window_clamp;
    uint32_t not_sent_low_water;
    uint8_t congestion; /* enum tcp_congestion */
    /* ip(7), ipv6(7) */
    bool v6_only, packet_info, packet_info6, receive_ttl, receive_tos, receive_error, free_bind, bind_no_port;
    bool receive_hop_limit, receive_class, receive_error6;
    uint8_t tos, traffic_class;
    int ttl, hops;                                          /* -1: the stack's default */
    int least_ttl, least_hops; /* TCP: what arrives with less is not seen */
    int multicast_ttl, multicast_hops; /* default 1 */
    bool multicast_loop;
    int mtu_discover, mtu_discover6; /* enum mtu_discover */
    int fragment_bytes6;             /* IPV6_MTU: the most, 0: as the path bears */
    bool dont_fragment6;
    uint8_t unicast_device, unicast_device6; /* IP_UNICAST_IF and IPv6's: datagrams leave by it; 0: as routes say */
    struct in_addr multicast_interface;
    uint32_t multicast_interface6;
};

/* Limits and defaults, copied from the settings once at start. */
struct socket_limits {
    uint32_t send_min, send_default, send_max;          /* bytes */
    uint32_t receive_min, receive_default, receive_max; /* bytes */
    uint32_t udp_send_default, udp_receive_default;     /* bytes */
    uint32_t keep_idle_s, keep_interval_s, keep_count;
    uint32_t syn_retries, backlog_max;
    bool no_delay;
    uint8_t congestion; /* enum tcp_congestion */
};
extern struct socket_limits socket_limits;

void socket_options_init(struct socket_options *options, int type);

/* getsockopt(2), setsockopt(2) for one of ours: 0 or -errno. */
int socket_option_get(struct socket *sock, int level, int name, void *value, socklen_t *len);
/* What goes into the headers towards a peer of that family. */
static inline uint8_t socket_options_ttl(const struct socket_options *o, int family)
{
    int ttl = family == AF_INET6 ? o->hops : o->ttl;

    return (uint8_t)(ttl > 0 || (ttl == 0 && family == AF_INET6) ? ttl : 64);
}

static inline uint8_t socket_options_tos(const struct socket_options *o, int family)
{
    return family == AF_INET6 ? o->traffic_class : o->tos;
}

static inline int socket_options_mtu_discover(const struct socket_options *o, int family)
{
    return family == AF_INET6 ? o->mtu_discover6 : o->mtu_discover;
}

static inline uint8_t socket_options_unicast_device(const struct socket_options *o, int family)
{
    return family == AF_INET6 ? o->unicast_device6 : o->unicast_device;
}

static inline uint8_t socket_options_least_ttl(const struct socket_options *o, int family)
{
    return (uint8_t)(family == AF_INET6 ? o->least_hops : o->least_ttl);
}

/* options_device.c: those that name an interface. -ENOPROTOOPT: it is none of them. */
int socket_device_get(struct socket *sock, int level, int name, void *value, socklen_t *len);
int socket_device_set(struct socket *sock, int level, int name, const void *value, socklen_t len);

int socket_option_set(struct socket *sock, int level, int name, const void *value, socklen_t len);

#endif
