/* SPDX-License-Identifier: Apache-2.0 */
#include "port/netlink.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/kernel_calls.h"

#define BUFFER_BYTES 65536

static int netlink_open(void)
{
    int fd = kernel.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    return fd < 0 ? -errno : fd;
}

const void *netlink_attribute(const struct nlmsghdr *message, size_t header_bytes, unsigned type, size_t bytes)
{
    const char *start = (const char *)NLMSG_DATA(message) + NLMSG_ALIGN(header_bytes);
    int left = (int)message->nlmsg_len - (int)NLMSG_SPACE(header_bytes);

    for (const struct rtattr *a = (const void *)start; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if ((a->rta_type & NLA_TYPE_MASK) == type && RTA_PAYLOAD(a) >= bytes)
            return RTA_DATA(a);
    return NULL;
}

static uint32_t number_of(const struct nlmsghdr *message, size_t header_bytes, unsigned type)
{
    const uint32_t *number = netlink_attribute(message, header_bytes, type, sizeof(*number));

    return number ? *number : 0;
}

static bool address_is_wanted(const struct nlmsghdr *message, int index)
{
    const struct ifaddrmsg *a = NLMSG_DATA(message);
    uint32_t flags = number_of(message, sizeof(*a), IFA_FLAGS) | a->ifa_flags;

    if ((int)a->ifa_index != index || (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0)
        return false;
    /* Temporary ones (RFC 8981) are made by the kernel, and only by it. */
    return a->ifa_family == AF_INET || (a->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY) == 0);
}

/* Routes of the kernel's own making follow from the addresses, those of RA from asking the routers. */
static bool route_is_wanted(const struct nlmsghdr *message, int index)
{
    const struct rtmsg *r = NLMSG_DATA(message);

    return (int)number_of(message, sizeof(*r), RTA_OIF) == index && (r->rtm_flags & RTM_F_CLONED) == 0 &&
           (r->rtm_family == AF_INET || r->rtm_family == AF_INET6) && r->rtm_type == RTN_UNICAST &&
           r->rtm_protocol != RTPROT_KERNEL && r->rtm_protocol != RTPROT_RA && r->rtm_protocol != RTPROT_REDIRECT;
}

static int list_add(struct netlink_list *list, const struct nlmsghdr *message)
{
    size_t bytes = NLMSG_ALIGN(message->nlmsg_len);
    char *more = realloc(list->bytes, list->length + bytes);

    if (more == NULL)
        return -ENOMEM;
    memset(more + list->length, 0, bytes);
    memcpy(more + list->length, message, message->nlmsg_len);
    list->bytes = more;
    list->length += bytes;
    return 0;
}

/* 1: more follows. */
static int dump_take(struct nlmsghdr *message, int left, int type, int index, struct netlink_list *out)
{
    for (; NLMSG_OK(message, (unsigned)left); message = NLMSG_NEXT(message, left)) {
        bool wanted = false;

        if (message->nlmsg_type == NLMSG_DONE)
            return 0;
        if (message->nlmsg_type == NLMSG_ERROR)
            return ((struct nlmsgerr *)NLMSG_DATA(message))->error;
        if (message->nlmsg_type == RTM_NEWADDR && type == RTM_GETADDR)
            wanted = address_is_wanted(message, index);
        else if (message->nlmsg_type == RTM_NEWROUTE && type == RTM_GETROUTE)
            wanted = route_is_wanted(message, index);
        if (wanted && list_add(out, message) != 0)
            return -ENOMEM;
    }
    return 1;
}

int netlink_dump(int type, int index, struct netlink_list *out)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg body; /* all zero: any family; longer than an ifaddrmsg */
    } ask = {.header = {.nlmsg_len = sizeof(ask), .nlmsg_type = (uint16_t)type,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    char *buffer = malloc(BUFFER_BYTES);
    int fd = netlink_open(), status = 1;

    if (fd < 0 || buffer == NULL) {
        free(buffer);
        return fd < 0 ? fd : -ENOMEM;
    }
    if (kernel.send(fd, &ask, sizeof(ask), 0) < 0)
        status = -errno;
    while (status == 1) {
        ssize_t got = kernel.recv(fd, buffer, BUFFER_BYTES, 0);

        status = got > 0 ? dump_take((struct nlmsghdr *)buffer, (int)got, type, index, out) : got < 0 ? -errno : -EIO;
    }
    kernel.close(fd);
    free(buffer);
    return status;
}

void netlink_free(struct netlink_list *list)
{
    free(list->bytes);
    *list = (struct netlink_list){0};
}

struct nlmsghdr *netlink_next(const struct netlink_list *list, const struct nlmsghdr *before)
{
    size_t at = before ? (size_t)((const char *)before - list->bytes) + NLMSG_ALIGN(before->nlmsg_len) : 0;
    struct nlmsghdr *message = (struct nlmsghdr *)(list->bytes + at);

    if (list->bytes == NULL || at + sizeof(*message) > list->length || message->nlmsg_len < sizeof(*message) ||
        message->nlmsg_len > list->length - at)
        return NULL;
    return message;
}

static int request(struct nlmsghdr *message)
{
    char answer[4096];
    struct nlmsghdr *reply = (struct nlmsghdr *)answer;
    int fd = netlink_open(), status = 0;

    if (fd < 0)
        return fd;
    if (kernel.send(fd, message, message->nlmsg_len, 0) < 0)
        status = -errno;
    else if (kernel.recv(fd, answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        status = -EIO;
    else if (reply->nlmsg_type == NLMSG_ERROR)
        status = ((struct nlmsgerr *)NLMSG_DATA(reply))->error;
    kernel.close(fd);
    return status;
}

static struct nlmsghdr *copy_of(const struct nlmsghdr *message, int type, int flags)
{
    struct nlmsghdr *copy = malloc(message->nlmsg_len);

    if (copy != NULL) {
        memcpy(copy, message, message->nlmsg_len);
        copy->nlmsg_type = (uint16_t)type;
        copy->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
        copy->nlmsg_seq = 1;
        copy->nlmsg_pid = 0;
    }
    return copy;
}

int netlink_create(const struct nlmsghdr *message)
{
    struct nlmsghdr *copy = copy_of(message, message->nlmsg_type, NLM_F_CREATE | NLM_F_REPLACE);
    int status;

    if (copy == NULL)
        return -ENOMEM;
    if (copy->nlmsg_type == RTM_NEWADDR) {
        struct ifaddrmsg *a = NLMSG_DATA(copy);
        uint32_t *flags = (uint32_t *)(uintptr_t)netlink_attribute(copy, sizeof(*a), IFA_FLAGS, sizeof(*flags));

        if (a->ifa_family == AF_INET6) { /* it was nobody else's all the time */
            a->ifa_flags |= IFA_F_NODAD;
            if (flags != NULL)
                *flags |= IFA_F_NODAD;
        }
    } else {
        ((struct rtmsg *)NLMSG_DATA(copy))->rtm_flags &= RTNH_F_ONLINK; /* the others are told, not taken */
    }
    status = request(copy);
    free(copy);
    return status;
}

int netlink_delete_address(const struct nlmsghdr *message)
{
    struct nlmsghdr *copy = copy_of(message, RTM_DELADDR, 0);
    int status = copy ? request(copy) : -ENOMEM;

    free(copy);
    return status == -EADDRNOTAVAIL ? 0 : status; /* secondary ones go with the first */
}
