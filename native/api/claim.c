/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A claim is a UNIX socket that listens on an abstract name: the kernel keeps such names apart by
 * network namespace, as it does devices, and frees them when their holder ends, however it ends.
 */
#include "api/claim.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/kernel_calls.h"
#include "config/config.h"

#define CLAIMS_MAX (CONFIG_PORTS_MAX * VALUE_ADDRESSES_MAX)

static int claims[CLAIMS_MAX];
static unsigned claims_count;

static socklen_t name_of(struct sockaddr_un *name, const struct port_config *port,
                         const struct config_address *address)
{
    size_t length;

    *name = (struct sockaddr_un){ .sun_family = AF_UNIX };
    length = (size_t)snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1, "pronghorn/%.32s/%.15s/",
                              port->device, port->iface);
    for (int i = 0; i < (address->family == AF_INET ? 4 : 16); i++)
        length += (size_t)snprintf(name->sun_path + 1 + length, sizeof(name->sun_path) - 1 - length,
                                   "%02x", address->bytes[i]);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

/*
 * Nobody accepts on a claim, so each question stays in its backlog until it is full: who asks again and
 * again (it waits for the holder's end) asks about one that lives only once.
 */
static int holder_of(const struct sockaddr_un *name, socklen_t len)
{
    static struct sockaddr_un asked;
    static struct ucred peer;
    socklen_t peer_len = sizeof(peer);
    int fd;

    if (peer.pid && memcmp(&asked, name, sizeof(asked)) == 0 && (kill(peer.pid, 0) == 0 || errno == EPERM))
        return peer.pid;
    peer.pid = 0;
    asked = *name;
    fd = kernel.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return 0;
    if (kernel.connect(fd, (const struct sockaddr *)name, len) == 0)
        kernel.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len);
    kernel.close(fd);
    return peer.pid;
}

static bool claim(const struct port_config *port, const struct config_address *address, int *holder)
{
    struct sockaddr_un name;
    socklen_t len = name_of(&name, port, address);
    int fd = kernel.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return true; /* not the claim's to fail */
    if (kernel.bind(fd, (struct sockaddr *)&name, len) < 0 && errno == EADDRINUSE) {
        kernel.close(fd);
        *holder = holder_of(&name, len);
        return false;
    }
    kernel.listen(fd, SOMAXCONN); /* a place for each that asks who we are */
    claims[claims_count++] = fd;
    return true;
}

void claim_forget(void)
{
    while (claims_count > 0)
        kernel.close(claims[--claims_count]);
}

bool claim_addresses(const struct config *config, int *holder)
{
    *holder = 0;
    if (claims_count > 0)
        return true;
    for (uint32_t p = 0; p < config->port.count; p++) {
        const struct port_config *port = &config->port.entry[p];

        if (strcmp(port->device, "wire") == 0) /* inside this process */
            continue;
        for (uint32_t i = 0; i < port->addresses.count; i++) {
            if (!claim(port, &port->addresses.entry[i], holder)) {
                claim_forget();
                return false;
            }
        }
    }
    return true;
}
