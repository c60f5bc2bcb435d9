/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A doubly linked circular list. The head and the nodes have the same type; a node lies inside the
 * thing that is listed (container_of() finds it again). The list owns nothing. One thread at a
 * time.
 *
 * A node that is in no list points at itself, so list_is_linked() tells and list_remove() of an
 * unlinked node does nothing; that needs list_init() once for each node.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *list) { list->next = list->prev = list; }

static inline bool list_is_empty(const struct list *head) { return head->next == head; }

static inline bool list_is_linked(const struct list *node) { return node->next != node; }

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_between(node, head->prev, head);
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_between(node, head, head->next);
}

static inline void list_remove(struct list *node)
{
    INVARIANT(node->next->prev == node && node->prev->next == node);
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The oldest node, or NULL. */
static inline struct list *list_first(const struct list *head)
{
    return list_is_empty(head) ? NULL : head->next;
}

static inline struct list *list_pop_front(struct list *head)
{
    struct list *node = list_first(head);

    if (node)
        list_remove(node);
    return node;
}

/* Moves all nodes of `from` to the end of `to`, in order; `from` is empty afterwards. */
static inline void list_move_all(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

/*
 * Walks the listed things: `item` is a pointer variable of their type, `member` the name of the
 * struct list in it. (Not called LIST_FOREACH: <sys/queue.h>, which DPDK includes, has that name.)
 */
#define LIST_EACH(item, head, member)                                    \
    for ((item) = container_of((head)->next, __typeof__(*(item)), member); \
         &(item)->member != (head);                                      \
         (item) = container_of((item)->member.next, __typeof__(*(item)), member))

/* The same, and the body may remove `item` (and only it); `following` is a second such pointer. */
#define LIST_EACH_SAFE(item, following, head, member)                                   \
    for ((item) = container_of((head)->next, __typeof__(*(item)), member),              \
        (following) = container_of((item)->member.next, __typeof__(*(item)), member);   \
         &(item)->member != (head);                                                     \
         (item) = (following),                                                          \
        (following) = container_of((item)->member.next, __typeof__(*(item)), member))

#endif
