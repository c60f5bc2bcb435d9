/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and routes of the kernel's interfaces, as rtnetlink(7) messages. Cold path. */
#ifndef PORT_NETLINK_H
#define PORT_NETLINK_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>

/* Messages as the kernel gave them, one behind the other. */
struct netlink_list {
    char *bytes;
    size_t length;
};

/*
 * Adds the addresses (RTM_GETADDR) or routes (RTM_GETROUTE) of interface `index`, but not what the
 * kernel makes of itself when the addresses are there. 0, or a negative errno.
 */
int netlink_dump(int type, int index, struct netlink_list *out);
void netlink_free(struct netlink_list *list);

/* NULL, and then after each: the first or next message; NULL at the end. */
struct nlmsghdr *netlink_next(const struct netlink_list *list, const struct nlmsghdr *before);

/* The attribute of a message whose own header has `header_bytes`; NULL: it has none such. */
const void *netlink_attribute(const struct nlmsghdr *message, size_t header_bytes, unsigned type, size_t bytes);

/* Makes what the message says be, or not be (addresses only). 0, or the kernel's errno, negative. */
int netlink_create(const struct nlmsghdr *message);
int netlink_delete_address(const struct nlmsghdr *message);

#endif
