/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace whose loopback interface has the addresses of the embedded wire's two ends, and
 * on the way to each of them the source address that ours has: the other end's.
 */
#include "../network.h"
#include "oracle.h"

static const char commands[] =
    "set -e; ip link set lo up mtu 1500 &&"
    "for pair in 1:2 2:1; do"
    "  a=${pair%:*} b=${pair#*:};"
    "  ip addr add 10.0.0.$a/32 dev lo; ip addr add fd00::$a/128 dev lo nodad;"
    "done &&"
    "for pair in 1:2 2:1; do"
    "  a=${pair%:*} b=${pair#*:};"
    "  ip route replace table local local 10.0.0.$a dev lo src 10.0.0.$b;"
    /* The kernel's own comes a moment after the address; only that one is meant ("metric 0" would mean any). */
    "  tries=0;"
    "  until ip -6 route del table local local fd00::$a dev lo proto kernel 2>/dev/null; do"
    "    tries=$((tries + 1)); test $tries -lt 500; sleep 0.01;"
    "  done;"
    "  ip -6 route add table local local fd00::$a dev lo src fd00::$b metric 1;"
    "done";

bool place_enter(void)
{
    return network_enter(commands);
}
