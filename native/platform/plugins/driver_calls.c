/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/plugins/driver_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_interrupts.h>

#include "base/kernel_calls.h"

pid_t driver_calls_owner;
void (*driver_calls_quiesce)(void);
int driver_calls_accept_ms;
int driver_calls_fanout = -1;
void (*driver_calls_connected)(int fd);
void (*driver_calls_closing)(int fd);

/* Of DPDK's inside, which its installed headers leave out. memif may be missing in a build of DPDK. */
struct rte_eth_dev;
struct rte_eth_dev *rte_eth_dev_allocated(const char *name);
__attribute__((weak)) int memif_connect_client(struct rte_eth_dev *device);

int driver_net_af_packet_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int driver_net_af_packet_socket(int domain, int type, int protocol);
int driver_net_memif_close(int fd);
int driver_net_memif_connect(int fd, const struct sockaddr *address, socklen_t length);
int driver_net_memif_munmap(void *memory, size_t bytes);
int driver_net_tap_fcntl64(int fd, int command, ...);
int driver_net_tap_sigaction(int number, const struct sigaction *action, struct sigaction *old);
int driver_net_virtio_accept(int fd, struct sockaddr *address, socklen_t *length);
int driver_telemetry_unlink(const char *path);
int driver_net_virtio_rte_intr_callback_unregister(const struct rte_intr_handle *handle, rte_intr_callback_fn callback,
                                                   void *argument);

/* What exit() calls removes the telemetry's sockets; in a forked child they are its parent's. */
int driver_telemetry_unlink(const char *path)
{
    return getpid() == driver_calls_owner ? unlink(path) : 0;
}

/*
 * af_packet opens its sockets for every protocol and binds them to the interface some calls later;
 * until then such a socket receives what any interface of the namespace does (packet(7)). Opened for
 * no protocol it receives nothing before bind() names both.
 */
int driver_net_af_packet_socket(int domain, int type, int protocol)
{
    (void)protocol;
    return kernel.socket(domain, type | SOCK_CLOEXEC, 0);
}

/*
 * af_packet numbers its group by process and interface, and two processes may come to the same number
 * for two interfaces (EINVAL). The kernel finds a free one (since 4.12); a port's further queues follow.
 */
static int fanout_join(int fd, unsigned wanted)
{
    static unsigned wanted_before;
    bool is_first = driver_calls_fanout < 0 || wanted != wanted_before; /* a bond probes several interfaces */
    unsigned group = wanted & 0xffff0000;
    socklen_t length = sizeof(group);

    /* "No number": the kernel takes the flag with nothing else. */
    group |= is_first ? (unsigned)PACKET_FANOUT_FLAG_UNIQUEID << 16 : (unsigned)driver_calls_fanout;
    wanted_before = wanted;
    if (kernel.setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group)) == 0) {
        if (is_first && kernel.getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, &length) == 0)
            driver_calls_fanout = (int)(group & 0xffff);
        return 0;
    }
    if (!is_first || errno != EINVAL)
        return -1;
    driver_calls_fanout = (int)(wanted & 0xffff);
    return kernel.setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &wanted, sizeof(wanted));
}

/*
 * af_packet joins its sockets with PACKET_FANOUT_FLAG_DEFRAG, also a single one: the kernel then puts
 * IP fragments together before we see them, and cuts off the whole at the size of our frames. We put
 * them together ourselves. The kernel hashes all fragments of a datagram by addresses alone, so they
 * still meet in one queue. Sent frames of the kernel itself are of no use either.
 */
int driver_net_af_packet_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    int one = 1;

    if (level == SOL_PACKET && name == PACKET_FANOUT && length == sizeof(int)) {
        kernel.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)); /* since 4.20 */
        return fanout_join(fd, *(const unsigned *)value & ~((unsigned)PACKET_FANOUT_FLAG_DEFRAG << 16));
    }
    return kernel.setsockopt(fd, level, name, value, length);
}

/*
 * When its peer goes, memif unmaps the rings on DPDK's interrupt thread while our thread may be in
 * the middle of a burst over them. It has marked itself disconnected before, so that a later burst
 * does nothing: wait for the current ones to end.
 */
int driver_net_memif_munmap(void *memory, size_t bytes)
{
    if (driver_calls_quiesce != NULL)
        driver_calls_quiesce();
    return munmap(memory, bytes);
}

/*
 * memif connects when it is started, and when that connection ends it is down for good: port/ connects
 * again, and must know when the driver has let go of the last one.
 */
int driver_net_memif_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int status = kernel.connect(fd, address, length);

    if (status == 0 && driver_calls_connected != NULL)
        driver_calls_connected(fd);
    return status;
}

int driver_net_memif_close(int fd)
{
    if (driver_calls_closing != NULL)
        driver_calls_closing(fd);
    return kernel.close(fd);
}

int driver_calls_memif_connect(const char *dpdk_name)
{
    struct rte_eth_dev *device = rte_eth_dev_allocated(dpdk_name);

    return device != NULL && memif_connect_client != NULL ? memif_connect_client(device) : -1;
}

/* As a server, virtio_user accepts its first peer while it is probed: the whole start would wait. */
int driver_net_virtio_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    struct pollfd listener = {.fd = fd, .events = POLLIN};

    if (driver_calls_accept_ms > 0) {
        int ready = kernel.poll(&listener, 1, driver_calls_accept_ms);

        driver_calls_accept_ms = ready == 0 ? -1 : 0;
        if (ready == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
    return kernel.accept4(fd, address, length, SOCK_CLOEXEC);
}

/*
 * While the interrupt thread is inside the handler, DPDK refuses to take it off its list. virtio does
 * not look, closes the descriptor all the same, and the thread panics over it when it next makes its list.
 */
int driver_net_virtio_rte_intr_callback_unregister(const struct rte_intr_handle *handle, rte_intr_callback_fn callback,
                                                   void *argument)
{
    int status = rte_intr_callback_unregister(handle, callback, argument);

    while (status == -EAGAIN && !rte_thread_is_intr()) {
        usleep(10);
        status = rte_intr_callback_unregister(handle, callback, argument);
    }
    return status;
}

/*
 * tap has the kernel send a signal to the process for received frames, and reads after one has come. A
 * thread of the program that sleeps in the kernel would wake with EINTR. Where no signal was ever had
 * the driver reads whenever it is asked: so it finds one that is free, and nobody ever sends it.
 */
int driver_net_tap_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    (void)number;
    (void)action;
    if (old != NULL)
        *old = (struct sigaction){.sa_handler = SIG_DFL};
    return 0;
}

int driver_net_tap_fcntl64(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    if (command == F_SETSIG || command == F_SETOWN)
        return 0;
    return kernel.fcntl(fd, command, command == F_SETFL ? argument & ~(long)O_ASYNC : argument);
}
