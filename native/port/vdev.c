/* SPDX-License-Identifier: Apache-2.0 */
#include "port/vdev.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/kernel_calls.h"
#include "config/config.h"

static const struct vdev rows[] = {
#define VDEV(name, driver, queue_limit, traits, arguments, help) \
    {#name, driver, arguments, help, queue_limit, traits},
#include "port/vdev.def"
};

const struct vdev *vdev_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

void vdev_names(char *out, size_t out_size)
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(rows) && length < out_size; i++)
        length += (size_t)snprintf(out + length, out_size - length, "%s%s", i ? ", " : "", rows[i].name);
}

/* True: somebody listens there. A socket file that its server left behind refuses. */
static bool path_answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = kernel.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool answers;

    if (fd < 0)
        return false;
    /* The settings' check of the length is 107: it fits with its end. */
    memccpy(address.sun_path, path, 0, sizeof(address.sun_path) - 1);
    /*
     * memif listens on a SOCK_SEQPACKET, vhost-user on a SOCK_STREAM: asking with another type says
     * whether anybody holds the path (unix(7): EPROTOTYPE, else ECONNREFUSED) without connecting. A
     * connection that ends at once makes memif's driver forget it in DPDK's interrupt thread, which
     * then aborts the process.
     */
    answers = kernel.connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1 && errno == EPROTOTYPE;
    kernel.close(fd);
    return answers;
}

bool vdev_path_wait(const char *path, uint32_t seconds)
{
    uint64_t end_us = clock_now_us() + seconds * UINT64_C(1000000);
    struct stat file;

    /* The kernel's half of virtio_user: no socket, and always there. */
    if (stat(path, &file) == 0 && S_ISCHR(file.st_mode))
        return true;
    while (!path_answers(path)) {
        if (clock_now_us() >= end_us)
            return false;
        usleep(20000);
    }
    return true;
}

bool vdev_is_server(const struct vdev *vdev, const struct port_config *config)
{
    if (config->role != CONFIG_ROLE_AUTO)
        return config->role == CONFIG_ROLE_SERVER;
    if (vdev->traits & VDEV_ROLE_PROBED)
        return !path_answers(config->path);
    return (vdev->traits & VDEV_SERVER_DEFAULT) != 0;
}

/*
 * The packet socket's ring (packet(7), packet_mmap.txt): a frame holds a header and the data of one
 * packet; frames lie in blocks of whole pages. The kernel cuts what is longer, see packet.c. The
 * driver takes the frames to lie one behind the other, so a block must be filled by its frames.
 */
#define FRAME_OVERHEAD 96u

uint32_t vdev_frame_bytes(const struct port_config *config)
{
    uint32_t mtu = config->mtu ? config->mtu : 1500;
    uint32_t bytes = (uint32_t)align_up(mtu + 18 + FRAME_OVERHEAD, 1024);

    return bytes < 2048 ? 2048 : bytes;
}

uint32_t vdev_frame_data_bytes(const struct port_config *config)
{
    return vdev_frame_bytes(config) - (uint32_t)(TPACKET2_HDRLEN - sizeof(struct sockaddr_ll));
}

static uint32_t power_of_two_up(uint32_t value)
{
    uint32_t power = 1;

    while (power < value)
        power <<= 1;
    return power;
}

static void mac_print(const struct config_mac *mac, char *out, size_t out_size)
{
    out[0] = '\0';
    if (mac->given)
        snprintf(out, out_size, "%02x:%02x:%02x:%02x:%02x:%02x", mac->bytes[0], mac->bytes[1],
                 mac->bytes[2], mac->bytes[3], mac->bytes[4], mac->bytes[5]);
}

/* The value of one {word}; "" leaves its argument away. */
static void word_fill(const struct vdev *vdev, const struct port_config *config, unsigned queues,
                      const char *word, char *out, size_t out_size)
{
    uint32_t frame = vdev_frame_bytes(config), page = (uint32_t)sysconf(_SC_PAGESIZE);
    uint32_t block = frame, per_block;
    bool server = (vdev->traits & VDEV_NEEDS_PATH) && vdev_is_server(vdev, config);

    while (block % page != 0)
        block += frame;
    per_block = block / frame;
    out[0] = '\0';
    if (strcmp(word, "iface") == 0)
        snprintf(out, out_size, "%s", config->iface);
    else if (strcmp(word, "path") == 0)
        snprintf(out, out_size, "%s", config->path);
    else if (strcmp(word, "rx_pcap") == 0)
        snprintf(out, out_size, "%s", config->iface[0] ? "" : config->path);
    else if (strcmp(word, "queues") == 0)
        snprintf(out, out_size, "%u", queues);
    else if (strcmp(word, "id") == 0)
        snprintf(out, out_size, "%u", config->id);
    else if (strcmp(word, "mode") == 0)
        snprintf(out, out_size, "%u", config->mode);
    else if (strcmp(word, "start_queue") == 0)
        snprintf(out, out_size, "%u", config->start_queue);
    else if (strcmp(word, "mac") == 0)
        mac_print(&config->mac, out, out_size);
    else if (strcmp(word, "role") == 0)
        snprintf(out, out_size, "%s", server ? "server" : "client");
    else if (strcmp(word, "server") == 0)
        snprintf(out, out_size, "%s", server ? "1" : "");
    else if (strcmp(word, "client") == 0)
        snprintf(out, out_size, "%s", server ? "" : "1");
    else if (strcmp(word, "tso") == 0)
        snprintf(out, out_size, "%s", config->tso && config->offload ? "1" : "");
    else if (strcmp(word, "zero_copy") == 0)
        snprintf(out, out_size, "%s", config->zero_copy && !server ? "yes" : "");
    else if (strcmp(word, "framesz") == 0)
        snprintf(out, out_size, "%u", frame);
    else if (strcmp(word, "blocksz") == 0)
        snprintf(out, out_size, "%u", block);
    else if (strcmp(word, "framecnt") == 0)
        snprintf(out, out_size, "%u", (config->rx_slots + per_block - 1) / per_block * per_block);
    else if (strcmp(word, "rx_slots_pow2") == 0)
        snprintf(out, out_size, "%u", power_of_two_up(config->rx_slots));
    else if (strcmp(word, "slots_log2") == 0)
        snprintf(out, out_size, "%d", __builtin_ctz(power_of_two_up(config->rx_slots)));
}

/* One "name={word}" or "name=value" of the template, with a comma before it if it is not the first. */
static size_t argument_print(const struct vdev *vdev, const struct port_config *config,
                             unsigned queues, const char *from, size_t bytes, char *out, size_t room,
                             bool first)
{
    char text[64], word[32], value[VALUE_STRING_BYTES];
    char *brace;

    snprintf(text, sizeof(text), "%.*s", (int)bytes, from);
    brace = strchr(text, '{');
    if (brace != NULL) {
        snprintf(word, sizeof(word), "%.*s", (int)strcspn(brace + 1, "}"), brace + 1);
        word_fill(vdev, config, queues, word, value, sizeof(value));
        if (value[0] == '\0')
            return 0;
        *brace = '\0';
    } else {
        value[0] = '\0';
    }
    return (size_t)snprintf(out, room, "%s%s%s", first ? "" : ",", text, value);
}

int vdev_arguments(const struct vdev *vdev, const struct port_config *config, unsigned queues,
                   char *out, size_t out_size)
{
    const char *at = vdev->arguments;
    size_t length = 0;

    out[0] = '\0';
    while (*at != '\0') {
        size_t bytes = strcspn(at, ",");

        length += argument_print(vdev, config, queues, at, bytes, out + length, out_size - length,
                                 length == 0);
        if (length >= out_size)
            return -EINVAL;
        at += bytes + (at[bytes] == ',');
    }
    if (config->arguments[0] != '\0') {
        size_t from = length;

        length += (size_t)snprintf(out + length, out_size - length, "%s%s", length ? "," : "",
                                   config->arguments);
        if (length >= out_size)
            return -EINVAL;
        for (size_t i = from; i < length; i++) /* the port line itself is parted by commas */
            if (out[i] == '+')
                out[i] = ',';
    }
    return 0;
}
