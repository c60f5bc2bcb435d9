/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network with a router, for both worlds: here (10.0.0.1, fd00::1, and .5) - router - far (10.1.0.N, fd01::N,
 * which the kernel serves). The path to far's N has the MTU of its tens: N in 10..19: 1500, 20..39: 1400,
 * 40..49: 500 (IPv6: 1280). All links have 1500.
 */
#ifndef TEST_CONFORMANCE_ROUTED_H
#define TEST_CONFORMANCE_ROUTED_H

#include "harness.h"

#define ROUTED_NETWORK "ip link set lo up"
#define ROUTED_PORT \
    "af_packet,iface=va,address=10.0.0.1/24,address=10.0.0.5/24,address=fd00::1/64,address=fd00::5/64," \
    "gateway=10.0.0.2,gateway=fd00::2"

/* For group_start(): in the namespace that ROUTED_NETWORK was made in. */
bool routed_start(void);

struct address routed_far(int family, int n, int port);
/* A socket of the kernel at the far end, bound to the port on all its addresses. */
int routed_far_bound(int family, int type, int port);

/* One that is not bound. */
int routed_far_stream(int family);

/* The next packet of UDP or TCP that leaves here, as text: its length, "don't fragment" and the fragments' fields,
 * TTL and TOS. "nothing": none came. A static buffer. */
const char *routed_packet(int family, int protocol);
/* One that did leave, of at least `bytes` with its headers. */
const char *routed_packet_left(int family, int protocol, int bytes);
/* Forgets what left so far. */
void routed_forget(void);

#endif
