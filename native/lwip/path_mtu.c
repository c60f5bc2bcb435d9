/* SPDX-License-Identifier: Apache-2.0 */
/* See path_mtu.h. Each branch is Linux' (ip_dont_fragment(), __ip_make_skb(), tcp_v4_mtu_reduced()). */
#include "lwip/path_mtu.h"

#include "base/compiler.h"
#include "lwip/instance.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip4.h"

#define LEAST_IP6 1280

static uint16_t known4(const ip4_addr_t *to, bool *fixed)
{
    return paths_find(instance_paths(), to, 4, instance_now_us(), fixed);
}

/* The zone is no part of what is looked up. */
static uint16_t known6(const ip6_addr_t *to)
{
    return paths_find(instance_paths(), to->addr, 16, instance_now_us(), NULL);
}

static uint16_t lesser(uint16_t link, uint16_t path)
{
    return path != 0 && path < link ? path : link;
}

uint16_t path_mtu_out4(const struct netif *netif, const ip4_addr_t *to, uint16_t bytes, uint8_t protocol,
                       uint16_t *flags)
{
    int discover = netif->hints ? netif->hints->mtu_discover
                                : protocol == IP_PROTO_TCP ? MTU_DISCOVER_DO : MTU_DISCOVER_DONT;
    uint16_t mtu = netif->mtu;
    bool fixed = false, whole;

    if (mtu_discover_uses_path(discover))
        mtu = lesser(mtu, known4(to, &fixed));
    whole = discover == MTU_DISCOVER_DO || (discover == MTU_DISCOVER_WANT && !fixed);
    if (protocol == IP_PROTO_UDP)
        whole = discover == MTU_DISCOVER_DO || discover == MTU_DISCOVER_PROBE || (whole && (bytes <= mtu || mtu == 0));
    *flags = whole ? IP_DF : 0;
    return mtu;
}

uint16_t path_mtu_out6(const struct netif *netif, const ip6_addr_t *to)
{
    uint16_t mtu = netif_mtu6(netif);

    if (netif->hints == NULL || mtu_discover_uses_path(netif->hints->mtu_discover6))
        mtu = lesser(mtu, known6(to));
    return mtu;
}

uint16_t path_mtu_pieces6(const struct netif *netif, const ip6_addr_t *to)
{
    uint16_t mtu = path_mtu_out6(netif, to);

    return netif->hints ? lesser(mtu, netif->hints->fragment_bytes6) : mtu;
}

uint16_t path_mtu(const struct netif *netif, const ip_addr_t *to)
{
    if (IP_IS_V6(to))
        return lesser(netif ? netif_mtu6(netif) : LEAST_IP6, known6(ip_2_ip6(to)));
    return netif ? lesser(netif->mtu, known4(ip_2_ip4(to), NULL)) : 0;
}

bool path_mtu_learn(const ip_addr_t *to, uint32_t told)
{
    const struct netif *netif = ip_route(IP_IS_V6(to) ? IP6_ADDR_ANY : IP4_ADDR_ANY, to);
    const void *address = IP_IS_V6(to) ? (const void *)ip_2_ip6(to)->addr : (const void *)ip_2_ip4(to);

    if (netif == NULL || netif->mtu == 0)
        return false;
    return paths_learn(instance_paths(), address, IP_IS_V6(to) ? 16 : 4, told,
                       IP_IS_V6(to) ? netif_mtu6(netif) : netif->mtu, instance_now_us());
}

static bool has_too_long(const struct tcp_pcb *pcb)
{
    for (const struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next) {
        if (seg->len + LWIP_TCP_OPT_LENGTH(seg->flags) > pcb->mss)
            return true;
    }
    return false;
}

/* tcp_simple_retransmit(): what was too long did not arrive. It is no congestion, and the window in segments
 * stays. tcp_output() cuts what it meets. Where a segment is still with the device the time-out does it. */
static void send_again(struct tcp_pcb *pcb)
{
    pcb->undo = 0;
    if (pcb->state < ESTABLISHED || !has_too_long(pcb) || tcp_rexmit_rto_prepare(pcb) != ERR_OK)
        return;
    pcb->credit = 0;
    pcb->dupacks = 0;
    pcb->recover = pcb->snd_nxt;
    pcb->recover_set = 1;
    tcp_clear_flags(pcb, TF_INFR);
    tcp_output(pcb);
}

void path_mtu_tcp(struct tcp_pcb *pcb, uint32_t told)
{
    bool is_ip6 = IP_IS_V6(&pcb->remote_ip);
    int discover = is_ip6 ? pcb->netif_hints.mtu_discover6 : pcb->netif_hints.mtu_discover;
    uint16_t mss;

    if (!mtu_discover_learns(discover))
        return;
    path_mtu_learn(&pcb->remote_ip, told);
    mss = tcp_eff_send_mss(pcb->mss, &pcb->local_ip, &pcb->remote_ip);
    if (mss >= pcb->mss || (!is_ip6 && discover == MTU_DISCOVER_DONT))
        return;
    pcb->cwnd = max_u32((uint32_t)((uint64_t)pcb->cwnd * mss / pcb->mss), mss);
    pcb->mss = mss;
    send_again(pcb);
}
