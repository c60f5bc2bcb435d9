/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/packet.h"

#include <errno.h>
#include <string.h>

#include "lwip/netif_port_state.h"

#include <rte_mbuf.h>

#include "lwip/packet_checksum.h"
#include "lwip/pbuf.h"

_Static_assert(sizeof(struct pbuf_custom) <= PACKET_PRIV_BYTES, "the pbuf lies in the private area");

struct rte_mempool *packet_pool_create(const char *name, unsigned count, uint32_t data_bytes,
                                       int numa_node)
{
    /* 250: a multiple of the burst that leaves little behind in the one or two caches in use. */
    unsigned cache = count >= 1024 ? 256 : count / 8;

    return rte_pktmbuf_pool_create(name, count, cache, PACKET_PRIV_BYTES,
                                   (uint16_t)(data_bytes + RTE_PKTMBUF_HEADROOM), numa_node);
}

unsigned packet_pool_in_use(const struct rte_mempool *pool)
{
    return rte_mempool_in_use_count(pool);
}

void packet_pool_destroy(struct rte_mempool *pool)
{
    rte_mempool_free(pool);
}

/* ---- receive ---------------------------------------------------------------------------------- */

static inline struct rte_mbuf *mbuf_of(struct pbuf *pbuf)
{
    return (struct rte_mbuf *)((char *)pbuf - sizeof(struct rte_mbuf));
}

static void packet_freed(struct pbuf *pbuf)
{
    rte_pktmbuf_free_seg(mbuf_of(pbuf));
}

static struct pbuf *segment_to_pbuf(struct rte_mbuf *mbuf, uint16_t tot_len)
{
    struct pbuf_custom *custom = rte_mbuf_to_priv(mbuf);
    struct pbuf *pbuf = &custom->pbuf;

    custom->custom_free_function = packet_freed;
    pbuf->next = NULL;
    pbuf->payload = rte_pktmbuf_mtod(mbuf, void *);
    pbuf->tot_len = tot_len;
    pbuf->len = mbuf->data_len;
    pbuf->type_internal = PBUF_REF;
    pbuf->flags = PBUF_FLAG_IS_CUSTOM;
    pbuf->ref = 1;
    pbuf->if_idx = NETIF_NO_INDEX;
    return pbuf;
}

struct pbuf *packet_from_mbuf(struct rte_mbuf *mbuf)
{
    uint16_t left = (uint16_t)mbuf->pkt_len;
    struct rte_mbuf *next = mbuf->next;
    struct pbuf *first = segment_to_pbuf(mbuf, left), *last = first;

    /* From here on the chain is the pbufs': each frees its own segment. */
    while (UNLIKELY(next != NULL)) {
        left = (uint16_t)(left - mbuf->data_len);
        mbuf->next = NULL;
        mbuf->nb_segs = 1;
        mbuf = next;
        next = mbuf->next;
        last->next = segment_to_pbuf(mbuf, left);
        last = last->next;
    }
    mbuf->nb_segs = 1;
    return first;
}

/*
 * Asked for each packet that a socket takes: only what everybody can have counts, not what lies in
 * the caches of the stacks. Those words change once in a cache's worth of packets.
 */
static inline bool pool_is_low(const struct rte_mempool *pool)
{
    return rte_mempool_ops_get_count(pool) < pool->size / 4;
}

static struct pbuf *set_aside(struct pbuf *packet)
{
    struct pbuf *copy = pbuf_alloc(PBUF_RAW, packet->tot_len, PBUF_RAM);

    if (copy == NULL)
        return packet;
    pbuf_copy(copy, packet);
    pbuf_free(packet);
    return copy;
}

struct pbuf *packet_keep(struct pbuf *packet)
{
    /* A packet from one of our own addresses to another lies in the instance's memory already. */
    if ((packet->flags & PBUF_FLAG_IS_CUSTOM) == 0 ||
        ((struct pbuf_custom *)packet)->custom_free_function != packet_freed ||
        LIKELY(!pool_is_low(mbuf_of(packet)->pool)))
        return packet;
    return set_aside(packet);
}

/* ---- send ------------------------------------------------------------------------------------- */

/* The mbuf chain under construction. */
struct chain {
    struct rte_mbuf *first, *last;
    uint32_t room; /* behind the data of `last`; 0 when it refers to a chunk */
};

static inline void chain_add(struct chain *chain, struct rte_mbuf *mbuf, uint32_t room)
{
    chain->last->next = mbuf;
    chain->last = mbuf;
    chain->first->nb_segs++;
    chain->room = room;
}

static int chain_copy(struct chain *chain, struct netif_port *np, const uint8_t *data, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t part = min_u32(chain->room, bytes);

        if (part == 0) {
            struct rte_mbuf *mbuf = np->multi_segs ? rte_pktmbuf_alloc(np->packets) : NULL;

            if (mbuf == NULL)
                return -ENOMEM;
            chain_add(chain, mbuf, rte_pktmbuf_tailroom(mbuf));
            continue;
        }
        memcpy(rte_pktmbuf_mtod_offset(chain->last, uint8_t *, chain->last->data_len), data, part);
        chain->last->data_len = (uint16_t)(chain->last->data_len + part);
        chain->first->pkt_len += part;
        chain->room -= part;
        data += part;
        bytes -= part;
    }
    return 0;
}

/* The mbuf refers to the payload where it lies, and so holds its chunk until the device is done. */
static int chain_refer(struct chain *chain, struct netif_port *np, void *data, uint16_t bytes)
{
    struct chunk *chunk = chunk_of(data);
    struct rte_mbuf *mbuf = chain->last;

    chain->first->pkt_len += bytes;
    if (RTE_MBUF_HAS_EXTBUF(mbuf) && rte_pktmbuf_mtod_offset(mbuf, void *, mbuf->data_len) == data) {
        /* It goes on where the last piece ended; never into another chunk, which has a header. */
        mbuf->buf_len = (uint16_t)(mbuf->buf_len + bytes);
        mbuf->data_len = (uint16_t)(mbuf->data_len + bytes);
        return 0;
    }
    mbuf = rte_pktmbuf_alloc(np->packets);
    if (mbuf == NULL)
        return -ENOMEM;
    chunk_hold(chunk);
    rte_pktmbuf_attach_extbuf(mbuf, data, chunk->iova + ((uintptr_t)data - (uintptr_t)chunk), bytes,
                              &chunk->shinfo);
    mbuf->data_len = bytes;
    chain_add(chain, mbuf, 0);
    return 0;
}

/* Takes back what was added behind `last`, which had `bytes` then. */
static void chain_undo(struct rte_mbuf *packet, struct rte_mbuf *last, uint16_t bytes, uint16_t pieces, uint32_t whole)
{
    rte_pktmbuf_free(last->next);
    last->next = NULL;
    if (RTE_MBUF_HAS_EXTBUF(last))
        last->buf_len = bytes;
    last->data_len = bytes;
    packet->nb_segs = pieces;
    packet->pkt_len = whole;
}

int packet_append(struct netif_port *np, struct rte_mbuf *packet, struct rte_mbuf **last, const struct pbuf *pbuf,
                  uint16_t skip)
{
    struct rte_mbuf *tail = *last;
    struct chain chain = {packet, tail, RTE_MBUF_HAS_EXTBUF(tail) ? 0 : rte_pktmbuf_tailroom(tail)};
    uint16_t tail_bytes = tail->data_len, pieces = packet->nb_segs;
    uint32_t before = packet->pkt_len, referred = 0;
    int status = 0;

    for (; pbuf != NULL && status == 0; pbuf = pbuf->next, skip = 0) {
        uint8_t *data = (uint8_t *)pbuf->payload + skip;
        uint16_t bytes = (uint16_t)(pbuf->len - skip);

        if (bytes > PACKET_COPY_MAX && np->multi_segs && np->chunks != NULL && chunk_pool_has(np->chunks, data) &&
            packet->pkt_len > 0) {
            status = chain_refer(&chain, np, data, bytes);
            referred += bytes;
        } else {
            status = chain_copy(&chain, np, data, bytes);
        }
    }
    if (UNLIKELY(status != 0)) {
        chain_undo(packet, tail, tail_bytes, pieces, before);
        return status;
    }
    if (referred > 0)
        STAT_ADD(np->stats, tx_referenced_bytes, referred);
    STAT_ADD(np->stats, tx_copied_bytes, packet->pkt_len - before - referred);
    *last = chain.last;
    return 0;
}

int packet_to_mbuf(struct netif_port *np, struct pbuf *pbuf, struct rte_mbuf **out)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(np->packets), *last = mbuf;
    int status;

    if (UNLIKELY(mbuf == NULL))
        return -ENOMEM;
    status = packet_append(np, mbuf, &last, pbuf, 0);
    if (UNLIKELY(status != 0)) {
        rte_pktmbuf_free(mbuf);
        return status;
    }
    packet_sum(mbuf, np->queue->offloads);
    *out = mbuf;
    return 0;
}
