/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SYN cookies (RFC 4987 3.6): while half-open connections fill a listener's backlog, its answers to
 * SYNs carry all that must be known when the handshake completes, and nothing is kept.
 *
 * The initial sequence number: 5 bits of a clock of 64 s, 3 bits for the MSS, 24 bits of a keyed hash
 * of these, the addresses, the ports and the peer's own number. It is good for one to two minutes. The
 * low bits of the timestamp, which the peer sends back, carry the rest of what it offered: whose peer
 * has no timestamps does without window scaling and selective acknowledgements.
 */
#include <string.h>

#include "base/compiler.h"
#include "lwip/hooks.h"
#include "lwip/inet_chksum.h"
#include "lwip/instance.h"
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/siphash.h"
#include "lwip/sys.h"

#define PERIOD_MS (64 * 1000)
#define LIFE_PERIODS 2

/* Of the timestamp: */
#define SCALE_MASK 15u
#define NO_SCALE 15u
#define SACK_BIT 16u
#define OPTIONS_MASK 31u

/* Common values; what is offered is rounded down. */
static const uint16_t mss_of[8] = {64, 536, 1024, 1220, 1360, 1400, 1440, 1460};

static uint32_t cookie(const struct tuple *tuple, uint32_t peer_isn, uint32_t period, uint32_t mss_index)
{
    uint64_t words[6];

    tuple_words(tuple, words);
    words[4] |= (uint64_t)peer_isn << 32;
    words[5] = (uint64_t)period << 3 | mss_index;
    return (period & 31) << 27 | mss_index << 24 | ((uint32_t)siphash(words, 6) & 0xffffff);
}

static struct tuple current_tuple(uint16_t local_port, uint16_t peer_port)
{
    return (struct tuple){.local = ip_current_dest_addr(), .peer = ip_current_src_addr(),
                          .local_port = local_port, .peer_port = peer_port};
}

uint16_t tcp_cookie_mss(const struct tcp_pcb_listen *lpcb, u32_t peer_isn, u32_t isn, u16_t peer_port)
{
    struct tuple tuple = current_tuple(lpcb->local_port, peer_port);
    uint32_t now_ms = sys_now(), period = now_ms / PERIOD_MS, index = isn >> 24 & 7;

    /* Guessing takes 2^24 tries: nobody gets them while no cookie is under way. */
    if (now_ms - lpcb->cookie_ms >= LIFE_PERIODS * PERIOD_MS)
        return 0;
    for (unsigned age = 0; age < LIFE_PERIODS; age++)
        if (cookie(&tuple, peer_isn, period - age, index) == isn)
            return mss_of[index];
    return 0;
}

/* The latest time that is not in the future and has these low bits. */
static uint32_t timestamp(const struct tcp_pcb *syn)
{
    uint32_t bits = (syn->flags & TF_WND_SCALE ? syn->snd_scale : NO_SCALE) |
                    (syn->flags & TF_SACK ? SACK_BIT : 0);
    uint32_t now_ms = sys_now(), stamp = (now_ms & ~OPTIONS_MASK) | bits;

    return (int32_t)(stamp - now_ms) > 0 ? stamp - OPTIONS_MASK - 1 : stamp;
}

void tcp_cookie_options(struct tcp_pcb *pcb, u32_t ts_echo)
{
    if (!ts_echo)
        return;
    tcp_set_flags(pcb, TF_TIMESTAMP);
    if (ts_echo & SACK_BIT)
        tcp_set_flags(pcb, TF_SACK);
    if ((ts_echo & SCALE_MASK) == NO_SCALE)
        return;
    tcp_set_flags(pcb, TF_WND_SCALE);
    pcb->snd_scale = ts_echo & SCALE_MASK;
    pcb->rcv_scale = TCP_RCV_SCALE;
    pcb->rcv_wnd = pcb->rcv_ann_wnd = pcb->rcv_wnd_limit;
}

static unsigned put_options(uint32_t *to, const struct tcp_pcb *syn, uint16_t mss)
{
    unsigned count = 0;

    to[count++] = TCP_BUILD_MSS_OPTION(mss);
    if (!(syn->flags & TF_TIMESTAMP))
        return count;
    to[count++] = PP_HTONL(0x0101080A);
    to[count++] = lwip_htonl(timestamp(syn));
    to[count++] = lwip_htonl(syn->ts_recent);
    if (syn->flags & TF_WND_SCALE)
        to[count++] = PP_HTONL(0x01030300 | TCP_RCV_SCALE);
    if (syn->flags & TF_SACK)
        to[count++] = PP_HTONL(0x01010402);
    return count;
}

static uint32_t mss_index(uint16_t mss)
{
    uint32_t index = ARRAY_SIZE(mss_of) - 1;

    while (index > 0 && mss_of[index] > mss)
        index--;
    return index;
}

void tcp_cookie_answer(struct tcp_pcb_listen *lpcb, const struct tcp_pcb *syn, u32_t seqno, u16_t peer_port)
{
    const ip_addr_t *local = ip_current_dest_addr(), *peer = ip_current_src_addr();
    struct tuple tuple = current_tuple(lpcb->local_port, peer_port);
    struct netif *netif = ip_route(local, peer);
    uint32_t options[6];
    struct tcp_hdr *header;
    unsigned words;
    struct pbuf *p;

    if (!netif)
        return;
    words = put_options(options, syn, tcp_eff_send_mss_netif(TCP_MSS, netif, peer));
    p = pbuf_alloc(PBUF_IP, (u16_t)(TCP_HLEN + words * 4), PBUF_RAM);
    if (!p) {
        COUNT_EVENT(drop_rx_no_memory);
        return;
    }
    lpcb->cookies = 1;
    lpcb->cookie_ms = sys_now();
    header = p->payload;
    header->src = lwip_htons(lpcb->local_port);
    header->dest = lwip_htons(peer_port);
    header->seqno = lwip_htonl(cookie(&tuple, seqno, sys_now() / PERIOD_MS, mss_index(syn->mss)));
    header->ackno = lwip_htonl(seqno + 1);
    TCPH_HDRLEN_FLAGS_SET(header, 5 + words, TCP_SYN | TCP_ACK);
    header->wnd = lwip_htons(TCPWND_MIN16(lpcb->rcv_wnd_limit)); /* never scaled in a SYN */
    header->chksum = 0;
    header->urgp = 0;
    memcpy(header + 1, options, words * 4);
    IF__NETIF_CHECKSUM_ENABLED(netif, NETIF_CHECKSUM_GEN_TCP)
        header->chksum = ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, local, peer);
    ip_output_if(p, local, peer, lpcb->ttl, lpcb->tos, IP_PROTO_TCP, netif);
    pbuf_free(p);
    COUNT_EVENT(tcp_syn_cookies_out);
}
