/* SPDX-License-Identifier: Apache-2.0 */
/* The process that the tests of the exported calls run in: how it starts, and names of its sockets. */
#ifndef TEST_UNIT_ON_WIRE_H
#define TEST_UNIT_ON_WIRE_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "pronghorn.h"

/* Starts it with what all such tests have in common, and these settings: start_with({ "key", "value" }, ...). */
#define start_with(...)                                                                                  \
    do {                                                                                                 \
        const struct ph_setting settings_[] = {                                                          \
            { "memory.hugepages", "off" }, { "stack.drive", TEST_DRIVE }, { "fd.numbers", TEST_NUMBERS }, \
            __VA_ARGS__                                                                                  \
        };                                                                                               \
        ck_assert_msg(ph_init(settings_, sizeof(settings_) / sizeof(*settings_)) == 0, "%s", ph_error()); \
    } while (0)

/* Two stacks, 10.0.0.1 and 10.0.0.2, joined by a wire. */
static inline void start_on_wire(void)
{
    start_with({ "port", "" });
}

/* The same, by name. */
#define STACK_EACH \
    { "stack.count", "2" }, { "port", "wire,address=10.0.0.1/24,stacks=0;wire,address=10.0.0.2/24,stacks=1" }
/* Two behind either address: the wire has two queues. */
#define TWO_STACKS_EACH \
    { "stack.count", "4" }, { "port", "wire,address=10.0.0.1/24,stacks=0+1;wire,address=10.0.0.2/24,stacks=2+3" }

static inline struct sockaddr_in address(const char *ip, int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static inline int bound(int type, const char *ip, int port)
{
    struct sockaddr_in a = address(ip, port);
    int fd = ph_socket(AF_INET, type, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_msg(ph_bind(fd, (void *)&a, sizeof(a)) == 0, "bind: %s", strerror(errno));
    return fd;
}

#endif
