/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace with the addresses of the embedded wire's two ends on two interfaces that are joined, as our
 * two ports are: datagrams to groups go from one to the other. All else goes by the loopback, and on the way to each
 * address has the source address that ours has: the other end's.
 */
#include "../network.h"
#include "oracle.h"

static const char commands[] =
    "set -e; ip link set lo up mtu 1500; ip link add va type veth peer name vb &&"
    "for i in va vb; do"
    "  ip link set $i addrgenmode none; echo 1 > /proc/sys/net/ipv4/conf/$i/accept_local;"
    "  ip link set $i up mtu 1500;"
    "done &&"
    "for pair in 1:va 2:vb; do"
    "  a=${pair%:*} i=${pair#*:};"
    "  ip addr add 10.0.0.$a/32 dev $i; ip addr add fd00::$a/128 dev $i nodad;"
    "  tries=0;"
    "  until ip link show dev $i | grep -q 'state UP'; do"
    "    tries=$((tries + 1)); test $tries -lt 500; sleep 0.01;"
    "  done;"
    "done &&"
    "for pair in 1:2 2:1; do"
    "  a=${pair%:*} b=${pair#*:};"
    "  ip route replace table local local 10.0.0.$a dev lo src 10.0.0.$b;"
    /* The kernel's own comes a moment after the address; only that one is meant ("metric 0" would mean any). */
    "  tries=0;"
    "  until ip -6 route del table local local fd00::$a proto kernel 2>/dev/null; do"
    "    tries=$((tries + 1)); test $tries -lt 500; sleep 0.01;"
    "  done;"
    "  ip -6 route add table local local fd00::$a dev lo src fd00::$b metric 1;"
    "done";

bool place_enter(void)
{
    return network_enter(commands);
}
