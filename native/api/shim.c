/* SPDX-License-Identifier: Apache-2.0 */
/* The entry points of the preload shim. */
#include "pronghorn/shim.h"

#include <errno.h>
#include <sys/socket.h>

#include "api/life.h"
#include "fd/undecided.h"

/* For the sockets it makes no difference what failed; the message was given. */
static int start(void)
{
    return life_ensure() == 0 ? 0 : -ENODEV;
}

bool ph_shim_start(void)
{
    undecided_set_start(start);
    return life_shim();
}

int ph_shim_socket(int domain, int type, int protocol)
{
    int fd = undecided_open(domain, type, protocol);

    if (fd >= 0)
        return fd;
    errno = -fd;
    return -1;
}
