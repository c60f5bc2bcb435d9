/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection's segments carry as its options say, seen on the wire; and what TCP_INFO tells of it. */
#include "routed.h"

const char group_name[] = "segments";
const char group_network[] = ROUTED_NETWORK;
const char group_port[] = ROUTED_PORT;

bool group_start(void)
{
    return routed_start();
}

struct ends {
    int here, far, listening;
};

static int accepted_by(int listening)
{
    uint64_t until = now_ms() + 3000;
    int fd = -1;

    while (fd < 0 && now_ms() < until) {
        settle(); /* our end answers */
        fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    }
    return fd;
}

static void say_left(const char *what, int family)
{
    const char *text = routed_packet(family, IPPROTO_TCP);

    NOTE(what, "%s", strstr(text, " at 0") ? strstr(text, " at 0") : text); /* the options' lengths differ */
}

/* The far end reads `bytes`. */
static void far_reads(int fd, size_t bytes)
{
    uint64_t until = now_ms() + 5000;
    static char buffer[65536];
    size_t got = 0;

    while (got < bytes && now_ms() < until) {
        ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

        if (n > 0)
            got += (size_t)n;
        else
            settle();
    }
    NOTE("far end has", "%zu", got);
}

static struct ends open_to_far(int family, int fd)
{
    struct ends e = { .here = fd, .listening = routed_far_bound(family, SOCK_STREAM, 7001) };
    struct address to = routed_far(family, 10, 7001);

    routed_forget();
    SAY(sys.connect(fd, ADDR(to)));
    say_left("SYN", family);
    e.far = accepted_by(e.listening);
    return e;
}

static void close_ends(struct ends *e)
{
    sys.close(e->here);
    close(e->far);
    close(e->listening);
}

static void header(int family, int level, int ttl, int tos)
{
    int fd = sys.socket(family, SOCK_STREAM, 0);
    struct ends e;

    SAY(set_int(fd, level, ttl, 77));
    SAY(set_int(fd, level, tos, 0x2b)); /* with bits of ECN */
    e = open_to_far(family, fd);
    routed_forget();
    SAY(sys.send(fd, "data", 4, 0));
    say_left("data", family);
    SAY(set_int(fd, level, ttl, 5));
    SAY(set_int(fd, level, tos, 0x10));
    settle();
    routed_forget();
    SAY(sys.send(fd, "more", 4, 0));
    say_left("changed", family);
    SAY_OPTION(fd, level, ttl);
    SAY_OPTION(fd, level, tos);
    settle();
    routed_forget();
    close_ends(&e);
    say_left("FIN", family);
}

static void header_4(void) { header(AF_INET, IPPROTO_IP, IP_TTL, IP_TOS); }
static void header_6(void) { header(AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_TCLASS); }

/* An accepted connection has what its listener had. */
static void inherited(int family, int level, int ttl, int tos)
{
    struct address here = { .len = family == AF_INET ? sizeof(here.in) : sizeof(here.in6) };
    int far = routed_far_stream(family), listening = sys.socket(family, SOCK_STREAM, 0), fd;

    here.any.sa_family = (sa_family_t)family;
    SAY(set_int(listening, level, ttl, 55));
    SAY(set_int(listening, level, tos, 0x50));
    SAY(sys.bind(listening, ADDR(here)));
    SAY(sys.listen(listening, 5));
    here.in.sin_port = htons((uint16_t)port_of(listening));
    if (family == AF_INET)
        here.in.sin_addr.s_addr = htonl(0x0a000001);
    else
        memcpy(&here.in6.sin6_addr, (uint8_t[16]){ 0xfd, [15] = 1 }, 16);
    routed_forget();
    connect(far, ADDR(here));
    say_left("SYN-ACK", family);
    SAY_FD(fd = sys.accept4(listening, NULL, NULL, 0));
    SAY_OPTION(fd, level, ttl);
    SAY_OPTION(fd, level, tos);
    settle();
    routed_forget();
    SAY(sys.send(fd, "data", 4, 0));
    say_left("data", family);
    close(far);
}

static void inherited_4(void) { inherited(AF_INET, IPPROTO_IP, IP_TTL, IP_TOS); }
static void inherited_6(void) { inherited(AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_TCLASS); }

/* <linux/tcp.h> goes on behind what <netinet/tcp.h> knows, and does not go together with it. */
struct info {
    struct tcp_info of;
    struct {
        uint64_t pacing_rate, pacing_rate_max, bytes_acked, bytes_received;
        uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
        uint64_t delivery_rate, busy, window_limited, buffer_limited;
        uint32_t delivered, delivered_ce;
        uint64_t bytes_sent, bytes_retrans;
        uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
    } more;
};

static struct info info_of(int fd)
{
    struct info info = { .of = { .tcpi_state = 0 } };
    socklen_t len = sizeof(info);

    if (sys.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || len < sizeof(info))
        NOTE("TCP_INFO", "%s, %u", error_name(errno), len);
    return info;
}

static void say_info(int fd)
{
    struct info info = info_of(fd);
    struct tcp_info i = info.of;

    NOTE("state", "%d", i.tcpi_state);
    NOTE("options", "%x", i.tcpi_options & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE));
    NOTE("scale of the peer", "%d", i.tcpi_snd_wscale);
    NOTE("mss", "%u, announced %u, path %u", i.tcpi_snd_mss, i.tcpi_advmss, i.tcpi_pmtu);
    NOTE("retransmitted", "%u, lost %u, backoff %u", i.tcpi_retransmits, i.tcpi_lost, i.tcpi_backoff);
    NOTE("outstanding", "%u, unsent %u", i.tcpi_unacked, info.more.notsent_bytes);
    NOTE("acknowledged", "%d, received %llu", info.more.bytes_acked - 50000 <= 1 /* the SYN */,
         (unsigned long long)info.more.bytes_received);
    NOTE("plausible", "rtt %d rttvar %d rto %d window %d peer's %d", i.tcpi_rtt > 0 && i.tcpi_rtt < 3000000,
         i.tcpi_rttvar > 0, i.tcpi_rto > i.tcpi_rtt, i.tcpi_snd_cwnd >= 1, info.more.snd_wnd > 0);
    NOTE("segments", "out %d, in %d", info.more.segs_out > 2, info.more.segs_in > 1);
}

static void info(int family)
{
    int fd = sys.socket(family, SOCK_STREAM, 0);
    static char data[50000];
    struct ends e;

    section("before");
    NOTE("state", "%d", info_of(fd).of.tcpi_state);
    section("connected");
    e = open_to_far(family, fd);
    NOTE("state", "%d", info_of(fd).of.tcpi_state);
    SAY(sys.send(fd, data, sizeof(data), 0));
    far_reads(e.far, sizeof(data));
    send(e.far, data, 1000, 0);
    SAY(await(fd, POLLIN));
    SAY(sys.recv(fd, data, sizeof(data), 0));
    for (uint64_t until = now_ms() + 3000; info_of(fd).of.tcpi_unacked && now_ms() < until;)
        settle();
    say_info(fd);
    section("half closed");
    shutdown(e.far, SHUT_WR);
    SAY(await(fd, POLLRDHUP));
    NOTE("state", "%d", info_of(fd).of.tcpi_state);
    section(NULL);
    close_ends(&e);
}

static void info_4(void) { info(AF_INET); }
static void info_6(void) { info(AF_INET6); }

const struct scenario scenarios[] = { SCENARIO(header_4),    SCENARIO(header_6), SCENARIO(inherited_4),
                                      SCENARIO(inherited_6), SCENARIO(info_4),   SCENARIO(info_6), { 0 } };
