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
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(np->packets);
    struct chunk *chunk = chunk_of(data);

    if (mbuf == NULL)
        return -ENOMEM;
    chunk_hold(chunk);
    rte_pktmbuf_attach_extbuf(mbuf, data, chunk->iova + ((uintptr_t)data - (uintptr_t)chunk), bytes,
                              &chunk->shinfo);
    mbuf->data_len = bytes;
    chain->first->pkt_len += bytes;
    chain_add(chain, mbuf, 0);
    return 0;
}

int packet_to_mbuf(struct netif_port *np, struct pbuf *pbuf, struct rte_mbuf **out)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(np->packets);
    struct chain chain = {mbuf, mbuf, 0};
    uint32_t referred = 0;
    int status = 0;

    if (UNLIKELY(mbuf == NULL))
        return -ENOMEM;
    chain.room = rte_pktmbuf_tailroom(mbuf);
    for (; pbuf != NULL && status == 0; pbuf = pbuf->next) {
        if (pbuf->len > PACKET_COPY_MAX && np->multi_segs && np->chunks != NULL &&
            chunk_pool_has(np->chunks, pbuf->payload) && mbuf->pkt_len > 0) {
            status = chain_refer(&chain, np, pbuf->payload, pbuf->len);
            referred += pbuf->len;
        } else {
            status = chain_copy(&chain, np, pbuf->payload, pbuf->len);
        }
    }
    if (UNLIKELY(status != 0)) {
        rte_pktmbuf_free(mbuf);
        return status;
    }
    if (referred > 0)
        STAT_ADD(np->stats, tx_referenced_bytes, referred);
    STAT_ADD(np->stats, tx_copied_bytes, mbuf->pkt_len - referred);
    packet_sum(mbuf, np->offloads);
    *out = mbuf;
    return 0;
}
