/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel would let this process do (capabilities(7)). */
#ifndef BASE_PRIVILEGE_H
#define BASE_PRIVILEGE_H

#include <linux/capability.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether the calling thread has CAP_NET_ADMIN or CAP_NET_RAW in effect. One system call. */
static inline bool privilege_network(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    return syscall(SYS_capget, &header, data) == 0 &&
           (data[0].effective & (1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW)) != 0;
}

#endif
