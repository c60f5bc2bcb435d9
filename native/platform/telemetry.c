/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/telemetry.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_eal.h>

#include "base/compiler.h"
#include "base/kernel_calls.h"
#include "base/log.h"
#include "platform/dpdk_compat.h"
#include "stats/directory.h"
#include "stats/segment.h"

#define SOCKET_NAME "/dpdk_telemetry.v2"

/* A command that runs and the end of the segment exclude each other. */
static struct {
    pthread_mutex_t lock;
    bool open;
} telemetry = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- what is told ------------------------------------------------------------------------------ */

static const void *field_of(const struct segment_entry *entry, unsigned stack)
{
    return (const char *)segment_stack(stack) + entry->offset;
}

static bool is_number(const struct segment_entry *entry)
{
    return entry->scope == SEGMENT_STACK && (entry->kind == SEGMENT_counter || entry->kind == SEGMENT_gauge);
}

static void tell_numbers(struct rte_tel_data *data, unsigned first, unsigned count)
{
    rte_tel_data_start_dict(data);
    for (uint32_t i = 0; i < segment_directory_entries; i++) {
        const struct segment_entry *entry = &segment_directory[i];
        uint64_t sum = 0;

        if (!is_number(entry))
            continue;
        for (unsigned s = first; s < first + count; s++)
            sum += __atomic_load_n((const uint64_t *)field_of(entry, s), __ATOMIC_RELAXED);
        dpdk_tel_add_u64(data, entry->name, sum);
    }
}

static int tell_info(const char *parameters, struct rte_tel_data *data)
{
    const struct segment_header *header = segment_header();

    rte_tel_data_start_dict(data);
    rte_tel_data_add_dict_string(data, "name", header->name);
    rte_tel_data_add_dict_string(data, "version", header->product);
    dpdk_tel_add_u64(data, "pid", header->pid);
    dpdk_tel_add_u64(data, "started_ms", header->start_ms);
    dpdk_tel_add_u64(data, "stacks", header->stacks);
    return 0;
}

static int tell_stacks(const char *parameters, struct rte_tel_data *data)
{
    rte_tel_data_start_array(data, RTE_TEL_INT_VAL);
    for (unsigned i = 0; i < segment_header()->stacks; i++)
        rte_tel_data_add_array_int(data, (int)i);
    return 0;
}

static int tell_stats(const char *parameters, struct rte_tel_data *data)
{
    tell_numbers(data, 0, segment_header()->stacks);
    return 0;
}

/* "0": the stack; -EINVAL: there is none. */
static int stack_of(const char *parameters)
{
    char *end;
    unsigned long stack = parameters ? strtoul(parameters, &end, 10) : 0;

    if (parameters == NULL || end == parameters || *end != '\0' || stack >= segment_header()->stacks)
        return -EINVAL;
    return (int)stack;
}

static int tell_stack(const char *parameters, struct rte_tel_data *data)
{
    int stack = stack_of(parameters);

    if (stack >= 0)
        tell_numbers(data, (unsigned)stack, 1);
    return stack < 0 ? stack : 0;
}

static int tell_latency(const char *parameters, struct rte_tel_data *data)
{
    static const struct { const char *name; double share; } shares[] = {
        { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p99_9", 0.999 }, { "p99_99", 0.9999 },
    };
    int stack = stack_of(parameters);

    if (stack < 0)
        return stack;
    rte_tel_data_start_dict(data);
    for (uint32_t i = 0; i < segment_directory_entries; i++) {
        const struct segment_entry *entry = &segment_directory[i];
        const struct histogram *histogram = field_of(entry, (unsigned)stack);
        struct rte_tel_data *one;

        if (entry->scope != SEGMENT_STACK || entry->kind != SEGMENT_histogram || (one = rte_tel_data_alloc()) == NULL)
            continue;
        rte_tel_data_start_dict(one);
        dpdk_tel_add_u64(one, "count", histogram_count(histogram));
        for (size_t q = 0; q < ARRAY_SIZE(shares); q++)
            dpdk_tel_add_u64(one, shares[q].name, histogram_quantile(histogram, shares[q].share));
        dpdk_tel_add_u64(one, "max", histogram->max);
        dpdk_tel_add_u64(one, "sum", histogram->sum);
        rte_tel_data_add_dict_container(data, entry->name, one, 0);
    }
    return 0;
}

/* The commands. Not the handlers themselves: the segment must not go while one runs. */
#define COMMANDS(COMMAND) \
    COMMAND(info, "/pronghorn/info", "Who it is. No parameters") \
    COMMAND(stacks, "/pronghorn/stacks", "The numbers of its stacks. No parameters") \
    COMMAND(stats, "/pronghorn/stats", "Counters and levels, all stacks together. No parameters") \
    COMMAND(stack, "/pronghorn/stack", "Counters and levels of a stack. Parameters: int stack") \
    COMMAND(latency, "/pronghorn/latency", "Distributions of a stack. Parameters: int stack")

#define COMMAND_GUARD(name, command, help) \
    static int guard_##name(const char *cmd, const char *parameters, struct rte_tel_data *data) \
    { \
        int result = -ENODEV; \
        pthread_mutex_lock(&telemetry.lock); \
        if (telemetry.open) \
            result = tell_##name(parameters, data); \
        pthread_mutex_unlock(&telemetry.lock); \
        return result; \
    }
COMMANDS(COMMAND_GUARD)

/* ---- the socket -------------------------------------------------------------------------------- */

/* Where ours is: with memory of our own, DPDK numbers the sockets of several processes. */
static bool socket_path(char *path, size_t size)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    bool found = false;

    while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
        struct sockaddr_un name = { 0 };
        socklen_t length = sizeof(name) - 1;
        int listens = 0;
        socklen_t option = sizeof(listens);

        if (kernel.getsockname(atoi(entry->d_name), (struct sockaddr *)&name, &length) < 0 ||
            name.sun_family != AF_UNIX || strstr(name.sun_path, SOCKET_NAME) == NULL ||
            kernel.getsockopt(atoi(entry->d_name), SOL_SOCKET, SO_ACCEPTCONN, &listens, &option) < 0 || !listens)
            continue;
        found = (size_t)snprintf(path, size, "%s", name.sun_path) < size;
    }
    if (folder != NULL)
        closedir(folder);
    return found;
}

/* In this network namespace. */
static bool is_bound(const char *path)
{
    FILE *sockets = fopen("/proc/net/unix", "re");
    char line[256];
    bool found = false;

    while (sockets != NULL && !found && fgets(line, sizeof(line), sockets) != NULL) {
        const char *name = strchr(line, '/');

        found = name != NULL && strncmp(name, path, strlen(path)) == 0 && name[strlen(path)] == '\n';
    }
    if (sockets != NULL)
        fclose(sockets);
    return found;
}

static bool is_refused(const struct sockaddr_un *name)
{
    int fd = kernel.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool refused = fd >= 0 && kernel.connect(fd, (const struct sockaddr *)name, sizeof(*name)) < 0 &&
                   errno == ECONNREFUSED;

    if (fd >= 0)
        kernel.close(fd);
    return refused;
}

void telemetry_sweep(void)
{
    const char *path = rte_eal_get_runtime_dir();
    DIR *folder = opendir(path);
    struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };

        if (strncmp(entry->d_name, SOCKET_NAME + 1, strlen(SOCKET_NAME + 1)) != 0 ||
            (size_t)snprintf(name.sun_path, sizeof(name.sun_path), "%s/%.64s", path, entry->d_name) >=
                sizeof(name.sun_path))
            continue;
        /* (Who lives is not asked: a DPDK whose asker is gone may die of SIGPIPE.) */
        if (!is_bound(name.sun_path) && is_refused(&name))
            unlink(name.sun_path);
    }
    if (folder != NULL)
        closedir(folder);
}

int telemetry_start(void)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

    if (!socket_path(path, sizeof(path)))
        return -ENOENT;
    if (chmod(path, 0600) < 0)
        return -errno;
#define COMMAND_REGISTER(name, command, help) rte_telemetry_register_cmd(command, guard_##name, help);
    COMMANDS(COMMAND_REGISTER)
    telemetry.open = true;
    log_info("statistics: DPDK's telemetry socket is %s", path);
    return 0;
}

void telemetry_stop(void)
{
    pthread_mutex_lock(&telemetry.lock);
    telemetry.open = false;
    pthread_mutex_unlock(&telemetry.lock);
}
