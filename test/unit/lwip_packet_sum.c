/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of what is sent: made here, or left to the device with what it needs to make them. */
#include <arpa/inet.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "lwip/packet_checksum.h"

#define RUN_NOFORK
#include "main.h"
#include "port_setup.h"

#define OPTIONS 12 /* of TCP */

struct kind {
    bool ip6, tcp;
};
static const struct kind kinds[] = {{false, false}, {false, true}, {true, false}, {true, true}};

static uint32_t ip_bytes(struct kind kind)
{
    return kind.ip6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
}

static uint32_t l4_bytes(struct kind kind)
{
    return kind.tcp ? sizeof(struct rte_tcp_hdr) + OPTIONS : sizeof(struct rte_udp_hdr);
}

static uint16_t *field_of(struct rte_mbuf *packet, struct kind kind)
{
    return rte_pktmbuf_mtod_offset(packet, uint16_t *, RTE_ETHER_HDR_LEN + ip_bytes(kind) + (kind.tcp ? 16 : 6));
}

/* As lwIP makes it, in pieces of `piece` bytes behind the headers; the checksum is not there yet. */
static struct rte_mbuf *packet_make(struct kind kind, uint32_t data, uint32_t piece)
{
    uint32_t headers = RTE_ETHER_HDR_LEN + ip_bytes(kind) + l4_bytes(kind), transport = l4_bytes(kind) + data;
    struct rte_mbuf *packet = packet_of(headers, 0), *last = packet;
    uint8_t *eth = rte_pktmbuf_mtod(packet, uint8_t *), *ip = eth + RTE_ETHER_HDR_LEN, *l4 = ip + ip_bytes(kind);

    for (uint32_t i = 0; i < headers; i++)
        eth[i] = (uint8_t)(i * 37 + data);
    *(uint16_t *)(eth + 12) = htons(kind.ip6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
    if (kind.ip6) {
        ip[0] = 0x60;
        *(uint16_t *)(ip + 4) = htons((uint16_t)transport);
        ip[6] = kind.tcp ? 6 : 17;
    } else {
        ip[0] = 0x45;
        *(uint16_t *)(ip + 2) = htons((uint16_t)(sizeof(struct rte_ipv4_hdr) + transport));
        *(uint16_t *)(ip + 6) = htons(RTE_IPV4_HDR_DF_FLAG);
        ip[9] = kind.tcp ? 6 : 17;
        *(uint16_t *)(ip + 10) = 0;
        *(uint16_t *)(ip + 10) = rte_ipv4_cksum((struct rte_ipv4_hdr *)ip);
    }
    if (kind.tcp)
        l4[12] = (uint8_t)(l4_bytes(kind) / 4 << 4);
    else
        *(uint16_t *)(l4 + 4) = htons((uint16_t)transport);
    for (uint32_t done = 0; done < data;) {
        uint32_t part = RTE_MIN(piece, data - done);
        struct rte_mbuf *more = packet_of(part, 0);

        for (uint32_t i = 0; i < part; i++)
            rte_pktmbuf_mtod(more, uint8_t *)[i] = (uint8_t)((done + i) * 31 ^ data);
        last->next = more;
        last = more;
        packet->nb_segs++;
        packet->pkt_len += part;
        done += part;
    }
    *field_of(packet, kind) = 0;
    return packet;
}

/* By DPDK's own functions, from the wire's bytes in one piece. */
static uint16_t wanted(struct rte_mbuf *packet, struct kind kind)
{
    static uint8_t bytes[65536];
    uint8_t *ip = bytes + RTE_ETHER_HDR_LEN, *l4 = ip + ip_bytes(kind);
    const void *from = rte_pktmbuf_read(packet, 0, packet->pkt_len, bytes);

    if (from != bytes)
        memcpy(bytes, from, packet->pkt_len);
    *(uint16_t *)(l4 + (kind.tcp ? 16 : 6)) = 0;
    return kind.ip6 ? rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)ip, l4)
                    : rte_ipv4_udptcp_cksum((struct rte_ipv4_hdr *)ip, l4);
}

START_TEST(in_software)
{
    for (size_t k = 0; k < RTE_DIM(kinds); k++) {
        for (uint32_t data = 0; data < 1460; data += data < 70 ? 1 : 97) {
            for (uint32_t piece = 1; piece < 2048; piece = piece * 9 + 2) {
                struct rte_mbuf *packet = packet_make(kinds[k], data, RTE_MAX(piece, data / 40 + 1));

                packet_sum(packet, PORT_TX_MULTI_SEGS | (kinds[k].tcp ? PORT_TX_UDP_CSUM : PORT_TX_TCP_CSUM));
                ck_assert_uint_eq(*field_of(packet, kinds[k]), wanted(packet, kinds[k]));
                ck_assert_uint_eq(packet->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK, 0);
                ck_assert_int_eq(packet_check(packet, false), PACKET_GOOD);
                rte_pktmbuf_free(packet);
            }
        }
    }
    ck_assert_packets_home();
}
END_TEST

/* Whatever the data, a datagram whose sum is 0 says 0xffff (RFC 768); a segment may say 0. */
START_TEST(zero_is_no_sum)
{
    for (size_t k = 0; k < RTE_DIM(kinds); k++) {
        struct rte_mbuf *packet = packet_make(kinds[k], 2, 2);
        uint16_t *data = rte_pktmbuf_mtod(packet->next, uint16_t *);

        *data = 0;
        *data = wanted(packet, kinds[k]); /* adds up to 0xffff, whose complement is 0 */
        packet_sum(packet, 0);
        ck_assert_uint_eq(*field_of(packet, kinds[k]), kinds[k].tcp ? 0 : 0xffff);
        ck_assert_int_eq(packet_check(packet, false), PACKET_GOOD);
        rte_pktmbuf_free(packet);
    }
    ck_assert_packets_home();
}
END_TEST

/* What a device needs: where the headers are, and the sum of the pseudo-header in the field. */
START_TEST(by_the_device)
{
    for (size_t k = 0; k < RTE_DIM(kinds); k++) {
        struct kind kind = kinds[k];
        struct rte_mbuf *packet = packet_make(kind, 1000, 700);
        const void *ip = rte_pktmbuf_mtod_offset(packet, void *, RTE_ETHER_HDR_LEN);
        uint64_t flags = (kind.ip6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4) |
                         (kind.tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM);

        packet_sum(packet, kind.tcp ? PORT_TX_TCP_CSUM : PORT_TX_UDP_CSUM);
        ck_assert_uint_eq(packet->ol_flags, flags);
        ck_assert_uint_eq(packet->l2_len, RTE_ETHER_HDR_LEN);
        ck_assert_uint_eq(packet->l3_len, ip_bytes(kind));
        ck_assert_uint_eq(packet->l4_len, l4_bytes(kind));
        ck_assert_uint_eq(*field_of(packet, kind), kind.ip6 ? rte_ipv6_phdr_cksum(ip, flags)
                                                            : rte_ipv4_phdr_cksum(ip, flags));
        ck_assert_int_eq(rte_validate_tx_offload(packet), 0);
        rte_pktmbuf_free(packet);
    }
    ck_assert_packets_home();
}
END_TEST

/* The first fragment looks like a datagram; its sum is that of the whole, made before. */
START_TEST(fragments_are_left_alone)
{
    static const uint16_t places[] = {RTE_IPV4_HDR_MF_FLAG, RTE_IPV4_HDR_MF_FLAG | 185, 185};

    for (int tcp = 0; tcp < 2; tcp++) {
        for (size_t i = 0; i < RTE_DIM(places); i++) {
            struct kind kind = {false, tcp != 0};
            struct rte_mbuf *packet = packet_make(kind, 1000, 700);

            *rte_pktmbuf_mtod_offset(packet, uint16_t *, RTE_ETHER_HDR_LEN + 6) = htons(places[i]);
            *field_of(packet, kind) = 0x1234;
            packet_sum(packet, i == 0 ? 0 : PORT_TX_TCP_CSUM | PORT_TX_UDP_CSUM);
            ck_assert_uint_eq(*field_of(packet, kind), 0x1234);
            ck_assert_uint_eq(packet->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK, 0);
            rte_pktmbuf_free(packet);
        }
    }
    ck_assert_packets_home();
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("lwip_packet_sum");
    TCase *tcase = tcase_create("sums");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, port_setup, NULL);
    tcase_add_test(tcase, in_software);
    tcase_add_test(tcase, zero_is_no_sum);
    tcase_add_test(tcase, by_the_device);
    tcase_add_test(tcase, fragments_are_left_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
