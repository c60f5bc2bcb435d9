/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port: one Ethernet device with as many queue pairs as there are stacks. Opened from one line of
 * configuration: a virtual device by the name of its row in vdev.def, or a card by PCI address.
 * Cold path; one thread. The data path of a queue is burst.h.
 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_config; /* config/config.h */
struct rte_mempool;

/* What the device does by itself, as negotiated. What is missing is done in software. */
enum port_offload {
    PORT_TX_IPV4_CSUM = 1u << 0,
    PORT_TX_TCP_CSUM = 1u << 1,
    PORT_TX_UDP_CSUM = 1u << 2,
    PORT_TX_TSO = 1u << 3, /* cuts large TCP frames into segments; of a queue: port_queue.tso */
    PORT_TX_MULTI_SEGS = 1u << 4, /* takes a packet in several pieces */
    PORT_RX_IPV4_CSUM = 1u << 5,  /* marks packets as checked */
    PORT_RX_L4_CSUM = 1u << 6,
    PORT_RX_SCATTER = 1u << 7, /* gives a packet in several pieces */
    PORT_RX_RSS = 1u << 8,     /* spreads flows over the queues, known key */
    PORT_RX_INTERRUPT = 1u << 9,
    PORT_RX_LARGE = 1u << 10, /* gives TCP frames that are larger than the MTU */
};

struct port {
    uint16_t id; /* DPDK's */
    uint16_t queues;
    uint16_t mtu;
    uint32_t offloads; /* enum port_offload */
    int numa_node;
    bool rx_checksum_skip; /* trust the wire: no L4 check of received packets */
    uint8_t mac[6];
    uint32_t moves;     /* how often another member of a bond began to send: switches must learn it */
    char name[64];      /* "af_packet va", as in messages */
    char driver[32];    /* "net_af_packet" */
    char interface[16]; /* the kernel's interface it stands on, or "" */
};

/*
 * Opens the port, negotiates offloads, starts it. pools[queue] must give packets with at least
 * port_packet_bytes() of room. 0, or a negative errno, with device, reason and remedy in err.
 */
int port_open(const struct port_config *config, unsigned queues, struct rte_mempool *const *pools,
              char *err, size_t err_size, struct port **out);

/* Stops and closes; packets still inside go back to their pools. NULL is allowed. */
void port_close(struct port *port);

/* Room for data that a packet of this port needs (without headroom). */
uint32_t port_packet_bytes(const struct port_config *config);

/* The most queues this device can have, 0 when the configuration decides. */
unsigned port_queue_limit(const struct port_config *config);

/* Whether its peer maps our memory: eal_settings.shareable_memory. */
bool port_shares_memory(const struct port_config *config);

/* The PCI addresses that this port needs, members of a bond included, for eal_settings.pci. */
#define PORT_PCI_MAX 8
struct port_pci {
    char address[PORT_PCI_MAX][16];
    unsigned count;
};
void port_pci_addresses(const struct port_config *config, struct port_pci *out);

/*
 * The queue that TCP segments from peer to local (addresses of 4 or 16 bytes in network order, ports in
 * the host's) arrive on, by the device's hash; -1: that is not known.
 */
int port_rss_queue(const struct port *port, bool ip6, const void *peer, const void *local, uint16_t peer_port,
                   uint16_t local_port);

struct port_queue;
/* Packets that the device dropped since the last call; told by the port's first queue, 0 by others. */
uint64_t port_lost_packets(struct port_queue *queue);
bool port_link_is_up(const struct port *port);

/* Queue pair `index`, to be driven by one stack. Valid until port_close(). */
struct port_queue *port_queue(struct port *port, unsigned index);

#endif
