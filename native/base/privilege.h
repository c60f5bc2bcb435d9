/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel would let this process do (capabilities(7)). */
#ifndef BASE_PRIVILEGE_H
#define BASE_PRIVILEGE_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether the calling thread has one of these capabilities (a bit each) in effect. One system call. */
static inline bool privilege_one_of(uint32_t capabilities)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    return syscall(SYS_capget, &header, data) == 0 &&
           (data[0].effective & capabilities) != 0;
}

static inline bool privilege_network(void)
{
    return privilege_one_of(1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW);
}

#endif
