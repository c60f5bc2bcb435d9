/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of libpronghorn-af_xdp.so, beside DPDK's driver: some calls of the driver into libxdp, renamed
 * in its objects (cmake/plugins.cmake), and what libxdp and libbpf say.
 *
 * The kernel reads and writes packets where they lie in our pool, and while a socket is open it holds
 * as many as its rings are long. The driver forgets them when it closes; what is counted here tells
 * them from lost ones.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <rte_log.h>
#include <rte_mempool.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>

#define SOCKETS_MAX 64 /* at a time, and of all pools */

/* Ports are opened and closed by one thread. */
static struct area {
    struct xsk_umem *umem;
    const void *start;
    struct xsk_ring_prod *fill;
    struct xsk_ring_cons *completion;
    struct xsk_socket *socket;
    struct xsk_ring_cons *rx;
    struct xsk_ring_prod *tx;
    unsigned kept; /* once it is closed */
} areas[SOCKETS_MAX];
static unsigned areas_count;

int driver_xsk_umem__create(struct xsk_umem **umem, void *start, __u64 bytes, struct xsk_ring_prod *fill,
                            struct xsk_ring_cons *completion, const struct xsk_umem_config *config);
int driver_xsk_socket__create(struct xsk_socket **socket, const char *interface, __u32 queue, struct xsk_umem *umem,
                              struct xsk_ring_cons *rx, struct xsk_ring_prod *tx,
                              const struct xsk_socket_config *config);
void driver_xsk_socket__delete(struct xsk_socket *socket);
int driver_xsk_umem__delete(struct xsk_umem *umem);
int driver_ioctl(int fd, unsigned long request, struct ifreq *argument);
void driver_rte_free(void *memory);
__attribute__((visibility("default"))) unsigned plugin_packets_kept(const struct rte_mempool *pool);

static bool pool_begins_at(const struct rte_mempool *pool, const void *start)
{
    const struct rte_mempool_memhdr *memory = STAILQ_FIRST(&pool->mem_list);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    return memory != NULL && (uintptr_t)start == ((uintptr_t)memory->addr & ~(page - 1));
}

struct extent {
    const void *start;
    uint64_t bytes;
    unsigned pieces;
};

static void pool_measure(struct rte_mempool *pool, void *context)
{
    struct extent *area = context;
    const struct rte_mempool_memhdr *memory = STAILQ_FIRST(&pool->mem_list);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    if (!pool_begins_at(pool, area->start))
        return;
    area->pieces = pool->nb_mem_chunks;
    area->bytes = ((uintptr_t)memory->addr + memory->len - (uintptr_t)area->start + page - 1) & ~(page - 1);
}

/*
 * The driver takes the pool to be as long as its packets together. But none of them lies across the
 * end of a page of memory, so that the last ones are beyond that: the kernel refuses to send them and
 * to receive into them, without a word.
 */
int driver_xsk_umem__create(struct xsk_umem **umem, void *start, __u64 bytes, struct xsk_ring_prod *fill,
                            struct xsk_ring_cons *completion, const struct xsk_umem_config *config)
{
    struct extent area = {start, bytes, 1};
    int status;

    rte_mempool_walk(pool_measure, &area);
    if (area.pieces != 1) {
        rte_log(RTE_LOG_ERR, RTE_LOGTYPE_PMD, "the pool of packets lies in %u pieces of memory, the kernel takes "
                                              "one: set memory.hugepages = off\n", area.pieces);
        return -ENOMEM;
    }
    status = xsk_umem__create(umem, start, area.bytes, fill, completion, config);
    if (status == 0 && areas_count < SOCKETS_MAX)
        areas[areas_count++] = (struct area){.umem = *umem, .start = start, .fill = fill, .completion = completion};
    return status;
}

int driver_xsk_socket__create(struct xsk_socket **socket, const char *interface, __u32 queue, struct xsk_umem *umem,
                              struct xsk_ring_cons *rx, struct xsk_ring_prod *tx,
                              const struct xsk_socket_config *config)
{
    int status = xsk_socket__create(socket, interface, queue, umem, rx, tx, config);

    for (unsigned i = 0; status == 0 && i < areas_count; i++) {
        if (areas[i].umem == umem && areas[i].socket == NULL) {
            areas[i].socket = *socket;
            areas[i].rx = rx;
            areas[i].tx = tx;
            break;
        }
    }
    return status;
}

/* Counted are the ends of the rings that are ours to move, so that the kernel's are not waited for. */
void driver_xsk_socket__delete(struct xsk_socket *socket)
{
    for (unsigned i = 0; i < areas_count; i++) {
        struct area *area = &areas[i];

        if (area->socket != socket || socket == NULL)
            continue;
        area->kept = (*area->fill->producer - *area->rx->consumer) +
                     (*area->tx->producer - *area->completion->consumer);
        area->socket = NULL;
        area->umem = NULL;
    }
    xsk_socket__delete(socket);
}

/* Where there was no socket yet, the packets for its ring were taken already, and are forgotten. */
int driver_xsk_umem__delete(struct xsk_umem *umem)
{
    for (unsigned i = 0; i < areas_count; i++) {
        if (areas[i].umem == umem) {
            areas[i].kept = XSK_RING_PROD__DEFAULT_NUM_DESCS;
            areas[i].umem = NULL;
        }
    }
    return xsk_umem__delete(umem);
}

/*
 * On closing, the driver frees the array of its queues with the first queue and goes on in it to the
 * second. It may keep the few bytes: a port is opened once.
 */
void driver_rte_free(void *memory)
{
}

/* A device that counts its channels by direction (veth) has as many queues as it has of both. */
int driver_ioctl(int fd, unsigned long request, struct ifreq *argument)
{
    struct ethtool_channels *channels = request == SIOCETHTOOL ? (void *)argument->ifr_data : NULL;
    int status = (int)syscall(SYS_ioctl, fd, request, argument); /* a shim has nothing to say about it */

    if (status == 0 && channels != NULL && channels->cmd == ETHTOOL_GCHANNELS && channels->max_combined == 0) {
        channels->max_combined = RTE_MIN(channels->max_rx, channels->max_tx);
        channels->combined_count = RTE_MIN(channels->rx_count, channels->tx_count);
    }
    return status;
}

/* Packets of this pool that closed sockets have kept. Found by name (port/plugin.c). */
unsigned plugin_packets_kept(const struct rte_mempool *pool)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < areas_count; i++)
        if (pool_begins_at(pool, areas[i].start))
            kept += areas[i].kept;
    return kept;
}

/* They write to stderr on their own; DPDK's log is where the core finds what a driver complains of. */
static int say(unsigned level, const char *format, va_list values)
{
    return rte_vlog(level, RTE_LOGTYPE_PMD, format, values);
}

static int libbpf_says(enum libbpf_print_level level, const char *format, va_list values)
{
    return say(level == LIBBPF_WARN ? RTE_LOG_WARNING : RTE_LOG_DEBUG, format, values);
}

static int libxdp_says(enum libxdp_print_level level, const char *format, va_list values)
{
    return say(level == LIBXDP_WARN ? RTE_LOG_WARNING : RTE_LOG_DEBUG, format, values);
}

__attribute__((constructor)) static void printers_set(void)
{
    libbpf_set_print(libbpf_says);
    libxdp_set_print(libxdp_says);
}
