/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace whose loopback interface has the addresses of the embedded wire's two ends, and
 * on the way to each of them the source address that ours has: the other end's.
 */
#include <sched.h>

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
    "  ip -6 route add table local local fd00::$a dev lo src fd00::$b metric 1;"
    "  ip -6 route del table local local fd00::$a dev lo metric 0;"
    "done";

static void put(const char *path, const char *format, unsigned id)
{
    FILE *file = fopen(path, "w");

    if (file) {
        fprintf(file, format, id);
        fclose(file);
    }
}

bool place_enter(void)
{
    unsigned user = getuid(), group = getgid();

    if (unshare(CLONE_NEWNET) < 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
            return false;
        put("/proc/self/setgroups", "deny", 0);
        put("/proc/self/uid_map", "0 %u 1", user);
        put("/proc/self/gid_map", "0 %u 1", group);
    }
    return system(commands) == 0;
}
