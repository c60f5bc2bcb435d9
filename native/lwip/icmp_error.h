/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors, and neighbours who do not answer: which PCB they are about, and what they mean there
 * (the tables of Linux: icmp(7) and ip(7), IP_RECVERR). In a turn; lwIP calls the first two (our patches).
 */
#ifndef PRONGHORN_LWIP_ICMP_ERROR_H
#define PRONGHORN_LWIP_ICMP_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/ip_addr.h"

struct pbuf;

/* What struct udp_pcb.unreachable is told; valid during the call. */
struct icmp_error {
    bool is_ip6;
    bool fatal; /* for a connected socket that did not ask for more */
    uint8_t type, code;
    uint8_t ttl, tos; /* of the message itself */
    int error;     /* positive errno */
    uint32_t info; /* the MTU with EMSGSIZE, what is wrong with EPROTO */
    ip_addr_t offender, to;
    uint16_t to_port;
    const struct pbuf *packet; /* the quoted datagram's payload begins at `offset` */
    uint16_t offset;
};

/* `p` begins with the ICMP header, of whatever type. */
void icmp_error_input(const struct pbuf *p, int is_ip6);
/* `p`, a packet of ours from its IP header on, is given up. */
void icmp_error_no_neighbour(const struct pbuf *p, int is_ip6);

#endif
