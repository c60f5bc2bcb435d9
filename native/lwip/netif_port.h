/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One lwIP interface over one queue pair of a port. All calls but the first two run inside the
 * stack's turn: instance entered, lcore id borrowed.
 */
#ifndef LWIP_NETIF_PORT_H
#define LWIP_NETIF_PORT_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

struct chunk_pool;
struct ip6_addr;
struct instance;
struct netif;
struct netif_port;
struct port;
struct port_config;
struct rte_mempool;
struct stats_stack;

struct netif_port_settings {
    struct port *port;
    unsigned queue;
    const struct port_config *config; /* addresses, gateways; read only during the call */
    struct rte_mempool *packets;      /* for transmission */
    struct chunk_pool *chunks;        /* payload in here is sent by reference; may be NULL */
    struct stats_stack *stats;        /* where it counts; NULL: nobody reads it */
    uint8_t number;                   /* as programs know it, netif_get_index(); 0: any that is free */
};

/*
 * Adds the interface with its addresses and default gateways to the entered instance and sets it up.
 * 0, or a negative errno with the reason in err.
 */
int netif_port_add(struct netif_port **out, const struct netif_port_settings *settings, char *err,
                   size_t err_size);

/* Takes the interface away; connections over it must be gone. The port stays. NULL is allowed. */
void netif_port_remove(struct netif_port *netif_port);

/* One burst from the device to lwIP. Returns the packets taken in. */
unsigned netif_port_input(struct netif_port *netif_port);
/* Instead of it: only the link is looked at; packets stay in the device. */
void netif_port_look(struct netif_port *netif_port);

/* Sends what lwIP has put out since the last flush; what the device refuses stays pending, and is counted here. */
unsigned netif_port_flush(struct netif_port *netif_port);

/* Free packets of its pool, those in DPDK's caches included. */
unsigned netif_port_packets_free(const struct netif_port *netif_port);


struct port_queue *netif_port_queue(struct netif_port *netif_port);
/* DPDK's numbers of its port and its queue pair. Constant: any thread. */
void netif_port_place(const struct netif_port *netif_port, int *port, int *queue);
/* Packets that the device has refused so far: they are tried again with each flush. */
unsigned netif_port_pending(const struct netif_port *netif_port);
/* As it was when last looked at, a tenth of a second ago at most while somebody turns the stack. */
bool netif_port_link_is_up(const struct netif_port *netif_port);
const struct port *netif_port_port(const struct netif_port *netif_port);
struct netif *netif_port_netif(struct netif_port *netif_port);

/* The interfaces of further IPv4 addresses, from 0 on; NULL: no more. */
struct netif *netif_port_alias(struct netif_port *netif_port, unsigned index);

/* It is a netif_port's, which netif->state then points to. */
bool netif_port_is_ours(const struct netif *netif);

/* The IPv6 gateway of a netif that is a netif_port's, or NULL; for whoever replaces our hooks. */
const struct ip6_addr *netif_port_gateway6(struct netif *netif);

#endif
