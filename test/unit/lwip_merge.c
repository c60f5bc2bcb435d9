/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large frames: what is merged is, once cut as a device does it (here: by the test), exactly a row of
 * valid segments. Two instances over a wire; the sender's queue is told that its device cuts.
 */
#include "kernel_peer.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#include "lwip/packet_checksum.h"
#include "lwip/tcp.h"

#define RUN_NOFORK
#include "main.h"

#define PORT 80
#define BYTES (3u << 20)

static struct peer *a, *b;
static uint8_t *data; /* in chunks of a, so that it is referred to */
static struct {
    size_t written, received;
    unsigned large, small, segments;
    uint32_t most_bytes, most_pieces;
    bool connected, ended;
    size_t write_bytes;
    bool copy;
} flow;

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 31 ^ at >> 9);
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg, (void)err;
    if (p == NULL) {
        flow.ended = true;
        tcp_close(pcb);
        return ERR_OK;
    }
    for (struct pbuf *q = p; q != NULL; q = q->next)
        for (uint16_t i = 0; i < q->len; i++)
            if (((uint8_t *)q->payload)[i] != byte_at(flow.received++))
                ck_abort_msg("byte %zu is wrong", flow.received - 1);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg, (void)err;
    tcp_recv(pcb, on_recv);
    return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg, (void)pcb;
    ck_assert_int_eq(err, ERR_OK);
    flow.connected = true;
    return ERR_OK;
}

static void put(struct rte_mbuf *packet)
{
    ck_assert_uint_eq(rte_eth_tx_burst(a->port->id, 0, &packet, 1), 1);
}

/* The device: IPv4 identification counts on, sequence numbers go on, the last one has the end's flags. */
static void cut(struct rte_mbuf *frame)
{
    static uint8_t bytes[70000];
    uint32_t headers = frame->l2_len + frame->l3_len + frame->l4_len, tcp_at = frame->l2_len + frame->l3_len;
    const uint8_t *whole = rte_pktmbuf_read(frame, 0, frame->pkt_len, bytes);
    uint32_t payload = frame->pkt_len - headers;
    bool ip4 = whole[14] >> 4 == 4;

    ck_assert_uint_le(frame->pkt_len, 65535);
    ck_assert_uint_eq(frame->nb_segs, rte_pktmbuf_lastseg(frame) == frame ? 1 : frame->nb_segs);
    ck_assert_uint_ge(frame->data_len, headers);
    if (ip4) {
        ck_assert_uint_eq(rte_be_to_cpu_16(*(const uint16_t *)(whole + 16)), frame->pkt_len - 14);
        ck_assert_uint_eq(rte_ipv4_cksum((const struct rte_ipv4_hdr *)(whole + 14)), 0); /* over itself */
        ck_assert_uint_eq(((const struct rte_tcp_hdr *)(whole + tcp_at))->cksum,
                          rte_ipv4_phdr_cksum((const struct rte_ipv4_hdr *)(whole + 14), RTE_MBUF_F_TX_TCP_SEG));
    } else {
        ck_assert_uint_eq(rte_be_to_cpu_16(*(const uint16_t *)(whole + 18)), frame->pkt_len - 54);
        ck_assert_uint_eq(((const struct rte_tcp_hdr *)(whole + tcp_at))->cksum,
                          rte_ipv6_phdr_cksum((const struct rte_ipv6_hdr *)(whole + 14), RTE_MBUF_F_TX_TCP_SEG));
    }
    for (uint32_t at = 0; at < payload; at += frame->tso_segsz) {
        uint32_t part = RTE_MIN((uint32_t)frame->tso_segsz, payload - at);
        struct rte_mbuf *packet = rte_pktmbuf_alloc(a->packets);
        uint8_t *out;
        struct rte_tcp_hdr *tcp;

        ck_assert_ptr_nonnull(packet);
        out = (uint8_t *)rte_pktmbuf_append(packet, (uint16_t)(headers + part));
        memcpy(out, whole, headers);
        memcpy(out + headers, whole + headers + at, part);
        tcp = (struct rte_tcp_hdr *)(out + tcp_at);
        tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + at);
        if (at + part < payload)
            tcp->tcp_flags &= (uint8_t)~(RTE_TCP_PSH_FLAG | RTE_TCP_FIN_FLAG);
        if (ip4) {
            struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(out + 14);

            ip->total_length = rte_cpu_to_be_16((uint16_t)(headers + part - 14));
            ip->hdr_checksum = 0;
            ip->hdr_checksum = rte_ipv4_cksum(ip);
        } else {
            ((struct rte_ipv6_hdr *)(out + 14))->payload_len = rte_cpu_to_be_16((uint16_t)(headers + part - 54));
        }
        packet_sum(packet, 0);
        put(packet);
        flow.segments++;
    }
    flow.large++;
    flow.most_bytes = RTE_MAX(flow.most_bytes, frame->pkt_len);
    flow.most_pieces = RTE_MAX(flow.most_pieces, frame->nb_segs);
    rte_pktmbuf_free(frame);
}

/* What port_flush() does, with a device that cuts. */
static void device(struct port_queue *queue)
{
    for (unsigned i = 0; i < queue->pending; i++) {
        struct rte_mbuf *packet = queue->tx[i];

        if (packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG) {
            cut(packet);
            continue;
        }
        packet->ol_flags &= ~(RTE_MBUF_F_TX_OFFLOAD_MASK);
        packet_sum(packet, 0);
        put(packet);
        flow.small++;
    }
    queue->pending = 0;
    a->np->merge.packet = NULL;
}

static void write_more(struct tcp_pcb *pcb)
{
    while (flow.written < BYTES) {
        size_t part = RTE_MIN(flow.write_bytes, BYTES - flow.written);

        /* Pieces do not reach over the end of a chunk. */
        part = RTE_MIN(part, CHUNK_DATA_BYTES - flow.written % CHUNK_DATA_BYTES);
        if (tcp_sndbuf(pcb) < part ||
            tcp_write(pcb, data + flow.written / CHUNK_DATA_BYTES * CHUNK_BYTES + flow.written % CHUNK_DATA_BYTES,
                      (u16_t)part, flow.copy ? TCP_WRITE_FLAG_COPY : 0) != ERR_OK)
            break;
        flow.written += part;
    }
    tcp_output(pcb);
}

static void turns(struct tcp_pcb *pcb, bool (*done)(void))
{
    uint64_t end_us = clock_now_us() + 20000000;

    while (!done()) {
        ck_assert_msg(clock_now_us() < end_us, "%zu written, %zu received, %u large, %u small", flow.written,
                      flow.received, flow.large, flow.small);
        peer_enter(a);
        instance_clock(a->instance, clock_now_us());
        netif_port_input(a->np);
        if (flow.connected)
            write_more(pcb);
        instance_timers(a->instance, clock_now_us());
        device(a->np->queue);
        peer_leave(a);
        peer_enter(b);
        instance_clock(b->instance, clock_now_us());
        netif_port_input(b->np);
        instance_timers(b->instance, clock_now_us());
        netif_port_flush(b->np);
        peer_leave(b);
    }
}

static bool is_up(void) { return netif_is_link_up(&a->np->netif) && netif_is_link_up(&b->np->netif); }
static bool is_connected(void) { return flow.connected; }
static bool is_received(void) { return flow.received == BYTES; }
static bool is_ended(void) { return flow.ended; }

static void setup(void)
{
    size_t chunks = (BYTES + CHUNK_DATA_BYTES - 1) / CHUNK_DATA_BYTES;

    a = peer_start("wire,address=10.0.0.1/24,address=fd00::1/64,rx_slots=1024", 2048, 128);
    b = peer_start("wire,address=10.0.0.2/24,address=fd00::2/64,rx_slots=1024", 2048, 128);
    a->np->queue->offloads |= PORT_TX_TCP_CSUM | PORT_TX_TSO | PORT_TX_IPV4_CSUM;
    a->np->queue->tso = true;
    a->np->queue->large_bytes = UINT16_MAX;
    a->np->queue->large_pieces = 64;
    /* One run of memory that looks like chunks in use: never given back to a pool. */
    chunk_pool_destroy(a->chunks);
    a->chunks = a->np->chunks = chunk_pool_create((uint32_t)chunks, SOCKET_ID_ANY, a->lcore);
    ck_assert_ptr_nonnull(a->chunks);
    data = NULL;
    for (size_t i = 0; i < chunks; i++) {
        struct chunk *chunk = chunk_alloc(a->chunks, &a->cache);

        ck_assert_ptr_nonnull(chunk);
        ck_assert_ptr_eq((uint8_t *)chunk, a->chunks->base + i * CHUNK_BYTES);
        for (size_t at = 0; at < CHUNK_DATA_BYTES; at++)
            chunk->data[at] = byte_at(i * CHUNK_DATA_BYTES + at);
        if (data == NULL)
            data = chunk->data;
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < a->chunks->count; i++) {
        struct chunk *chunk = (struct chunk *)(a->chunks->base + i * CHUNK_BYTES);

        ck_assert_uint_eq(rte_mbuf_ext_refcnt_read(&chunk->shinfo), 1); /* ours alone */
        chunk_put(chunk);
    }
    a->np->queue->tso = false;
    a->np->queue->offloads = a->port->offloads;
    for (struct peer **peer = (struct peer *[]){a, b, NULL}; *peer != NULL; peer++)
        pthread_create(&(*peer)->thread, NULL, peer_turns, *peer);
    usleep(50000);
    peer_stop(a);
    peer_stop(b);
}

static void carry(bool ip6, size_t write_bytes, bool copy, size_t frames_at_most)
{
    struct tcp_pcb *pcb, *listener;
    ip_addr_t to;

    setup();
    memset(&flow, 0, sizeof(flow));
    flow.write_bytes = write_bytes;
    flow.copy = copy;
    turns(NULL, is_up);
    peer_enter(b);
    listener = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(listener, IP_ANY_TYPE, PORT);
    listener = tcp_listen(listener);
    tcp_accept(listener, on_accept);
    peer_leave(b);
    peer_enter(a);
    ipaddr_aton(ip6 ? "fd00::2" : "10.0.0.2", &to);
    pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_nagle_disable(pcb);
    tcp_connect(pcb, &to, PORT, on_connected);
    peer_leave(a);
    turns(pcb, is_connected);
    turns(pcb, is_received);
    peer_enter(a);
    tcp_close(pcb);
    peer_leave(a);
    turns(pcb, is_ended);
    peer_enter(b);
    tcp_close(listener);
    peer_leave(b);
    ck_assert_uint_eq(b->stats.drop_rx_checksum_tcp + b->stats.drop_rx_malformed + b->stats.drop_rx_checksum_ip, 0);
    ck_assert_uint_eq(a->stats.tx_merged, flow.segments - flow.large);
    ck_assert_msg(flow.large + flow.small < frames_at_most, "%u large frames of %u segments, %u small", flow.large,
                  flow.segments, flow.small);
    ck_assert_uint_gt(flow.segments, BYTES / 1448 * 3 / 4);
    teardown();
}

/* Chunk by chunk: about 45 segments a frame, of few pieces. */
START_TEST(by_reference)
{
    for (int ip6 = 0; ip6 < 2; ip6++) {
        carry(ip6, 65536, false, BYTES / 1448 / 4);
        ck_assert_uint_gt(flow.most_bytes, 60000);
        ck_assert_uint_lt(flow.most_pieces, 40);
    }
}
END_TEST

START_TEST(by_copy)
{
    carry(false, 200, true, BYTES / 1448 / 2);
    carry(true, 1000, true, BYTES / 1448 / 2);
}
END_TEST


static Suite *suite(void)
{
    Suite *suite = suite_create("lwip_merge");
    TCase *tcase = tcase_create("merge");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, by_reference);
    tcase_add_test(tcase, by_copy);
    suite_add_tcase(suite, tcase);
    return suite;
}
