/* SPDX-License-Identifier: Apache-2.0 */
/* Members of multicast groups, and what they want together. See multicast.h. */
#include "lwip/multicast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/igmp.h"
#include "lwip/instance_var.h"
#include "lwip/mld6.h"
#include "lwip/multicast_state.h"

static INSTANCE_VAR struct multicast template_multicast;

struct multicast *multicast_here(void)
{
    return &INSTANCE(multicast);
}

/* ---- lists of sources ------------------------------------------------------------------------------ */

bool multicast_has(const struct multicast_sources *sources, const ip_addr_t *source)
{
    for (unsigned i = 0; i < sources->count; i++)
        if (ip_addr_cmp_zoneless(&sources->list[i], source))
            return true;
    return false;
}

bool multicast_add(struct multicast_sources *sources, const ip_addr_t *source)
{
    if (multicast_has(sources, source))
        return true;
    if (sources->count == sources->room) {
        unsigned room = sources->room ? 2 * sources->room : 4;
        ip_addr_t *list = realloc(sources->list, room * sizeof(*list));

        if (list == NULL)
            return false;
        sources->list = list;
        sources->room = room;
    }
    ip_addr_copy(sources->list[sources->count], *source);
    sources->count++;
    return true;
}

void multicast_remove(struct multicast_sources *sources, const ip_addr_t *source)
{
    for (unsigned i = 0; i < sources->count; i++)
        if (ip_addr_cmp_zoneless(&sources->list[i], source)) {
            sources->list[i] = sources->list[--sources->count];
            return;
        }
}

void multicast_clear(struct multicast_sources *sources)
{
    free(sources->list);
    memset(sources, 0, sizeof(*sources));
}

/* ---- groups ---------------------------------------------------------------------------------------- */

struct multicast_group *multicast_find(const struct netif *netif, const ip_addr_t *address)
{
    for (struct multicast_group *group = multicast_here()->groups; group; group = group->next)
        if (group->netif == netif && ip_addr_cmp_zoneless(&group->address, address))
            return group;
    return NULL;
}

void multicast_forget(struct multicast_group *group)
{
    if (group->members || group->repeats)
        return;
    for (struct multicast_group **at = &multicast_here()->groups; *at; at = &(*at)->next)
        if (*at == group) {
            *at = group->next;
            break;
        }
    multicast_clear(&group->filter.sources);
    multicast_clear(&group->came);
    multicast_clear(&group->went);
    free(group);
}

static struct multicast_group *find_or_new(struct netif *netif, const ip_addr_t *address)
{
    struct multicast_group *group = multicast_find(netif, address);

    if (group)
        return group;
    group = calloc(1, sizeof(*group));
    if (group == NULL)
        return NULL;
    group->netif = netif;
    ip_addr_copy(group->address, *address);
    if (IP_IS_V6(address))
        ip6_addr_assign_zone(ip_2_ip6(&group->address), IP6_MULTICAST, netif);
    group->next = multicast_here()->groups;
    multicast_here()->groups = group;
    return group;
}

/* RFC 3376 3.2. Without memory for the sources: all of them, the sockets choose by themselves. */
static struct multicast_filter together(const struct multicast_group *group)
{
    struct multicast_filter all = { .exclude = false };
    const struct multicast_member *first = NULL, *m;
    bool complete = true;

    for (m = group->members; m; m = m->next_own)
        if (m->filter.exclude)
            first = m;
    all.exclude = first != NULL;
    if (!first) { /* whoever somebody wants */
        for (m = group->members; m; m = m->next_own)
            for (unsigned i = 0; i < m->filter.sources.count; i++)
                complete &= multicast_add(&all.sources, &m->filter.sources.list[i]);
    } else { /* all but those that nobody wants */
        for (unsigned i = 0; i < first->filter.sources.count; i++) {
            const ip_addr_t *source = &first->filter.sources.list[i];
            bool wanted = false;

            for (m = group->members; m && !wanted; m = m->next_own)
                wanted = multicast_has(&m->filter.sources, source) != m->filter.exclude;
            if (!wanted)
                complete &= multicast_add(&all.sources, source);
        }
    }
    if (!complete) {
        multicast_clear(&all.sources);
        all.exclude = true;
    }
    return all;
}

static void changed(struct multicast_group *group)
{
    struct multicast_filter before = group->filter;

    group->filter = together(group);
    multicast_tell(group, &before);
    multicast_clear(&before.sources);
    multicast_forget(group);
}

/* lwIP's own list of what is received. All hosts are in 224.0.0.1 anyhow (RFC 3376 4.1.12, never reported). */
static err_t receive(struct netif *netif, const ip_addr_t *address, bool begin)
{
    if (IP_IS_V6(address))
        return (begin ? mld6_joingroup_netif : mld6_leavegroup_netif)(netif, ip_2_ip6(address));
    if (ip_2_ip4(address)->addr == PP_HTONL(MULTICAST_ALL_HOSTS))
        return ERR_OK;
    return (begin ? igmp_joingroup_netif : igmp_leavegroup_netif)(netif, ip_2_ip4(address));
}

/* ---- members ----------------------------------------------------------------------------------------- */

static struct multicast_member *find_member(struct multicast_member *list, const struct netif *netif,
                                            const ip_addr_t *address)
{
    struct multicast_member *m = list;

    while (m && !(m->group->netif == netif && ip_addr_cmp_zoneless(&m->group->address, address)))
        m = m->next;
    return m;
}

static int join(struct multicast_member **list, struct netif *netif, const struct multicast_wish *wish)
{
    struct multicast_group *group = find_or_new(netif, &wish->group);
    struct multicast_member *m = calloc(1, sizeof(*m));
    bool exclude = wish->what == MULTICAST_JOIN;
    err_t err = ERR_MEM;

    if (group == NULL || m == NULL || (!exclude && !multicast_add(&m->filter.sources, &wish->source)))
        goto fail;
    err = receive(netif, &wish->group, true);
    if (err != ERR_OK)
        goto fail;
    m->filter.exclude = exclude;
    m->group = group;
    m->next = *list;
    *list = m;
    m->next_own = group->members;
    group->members = m;
    changed(group);
    return 0;

fail:
    if (m)
        multicast_clear(&m->filter.sources);
    free(m);
    if (group)
        multicast_forget(group);
    return err == ERR_MEM ? -ENOBUFS : -EINVAL;
}

static void leave(struct multicast_member **list, struct multicast_member *m)
{
    struct multicast_group *group = m->group;

    for (; *list; list = &(*list)->next)
        if (*list == m) {
            *list = m->next;
            break;
        }
    for (struct multicast_member **at = &group->members; *at; at = &(*at)->next_own)
        if (*at == m) {
            *at = m->next_own;
            break;
        }
    receive(group->netif, &group->address, false);
    multicast_clear(&m->filter.sources);
    free(m);
    changed(group);
}

/* Adds a source to the member's list or takes it away; as ip_mc_source() of Linux judges it. */
static int change_source(struct multicast_member **list, struct multicast_member *m,
                         const struct multicast_wish *wish)
{
    struct multicast_sources *sources = &m->filter.sources;
    bool exclude = wish->what == MULTICAST_BLOCK_SOURCE || wish->what == MULTICAST_UNBLOCK_SOURCE;
    bool add = wish->what == MULTICAST_BLOCK_SOURCE || wish->what == MULTICAST_JOIN_SOURCE;

    if (m->filter.exclude != exclude) {
        if (sources->room > 0)
            return -EINVAL;
        m->filter.exclude = exclude; /* a list that never had any may become the other kind */
    }
    if (add == multicast_has(sources, &wish->source))
        return -EADDRNOTAVAIL;
    if (!add && !exclude && sources->count == 1) {
        leave(list, m); /* from nobody at all */
        return 0;
    }
    if (add && (sources->count >= MULTICAST_SOURCES_MAX || !multicast_add(sources, &wish->source)))
        return -ENOBUFS;
    if (!add)
        multicast_remove(sources, &wish->source);
    changed(m->group);
    return 0;
}

static int change_on(struct multicast_member **list, struct netif *netif, const struct multicast_wish *wish)
{
    struct multicast_member *m = find_member(*list, netif, &wish->group);

    switch (wish->what) {
    case MULTICAST_JOIN:
        return m ? -EADDRINUSE : join(list, netif, wish);
    case MULTICAST_LEAVE:
        if (m)
            leave(list, m);
        return m ? 0 : -EADDRNOTAVAIL;
    case MULTICAST_JOIN_SOURCE:
        return m ? change_source(list, m, wish) : join(list, netif, wish);
    default:
        return m ? change_source(list, m, wish) : -EINVAL;
    }
}

static bool is_meant(const struct netif *netif, const struct multicast_wish *wish)
{
    bool six = IP_IS_V6(&wish->group);

    if (!(netif->flags & (six ? NETIF_FLAG_MLD6 : NETIF_FLAG_IGMP)))
        return false;
    if (wish->index)
        return netif_get_index(netif) == wish->index;
    return six || ip4_addr_isany(ip_2_ip4(&wish->interface)) ||
           ip4_addr_cmp(netif_ip4_addr(netif), ip_2_ip4(&wish->interface));
}

int multicast_change(struct multicast_member **list, const struct multicast_wish *wish)
{
    struct netif *netif;
    int result = -ENODEV;

    NETIF_FOREACH(netif)
        if (is_meant(netif, wish)) {
            int one = change_on(list, netif, wish);

            if (one == 0 || result == -ENODEV)
                result = one;
        }
    return result;
}

void multicast_leave_all(struct multicast_member **list)
{
    while (*list)
        leave(list, *list);
}

bool multicast_allows(const struct multicast_member *list, const struct netif *netif,
                      const ip_addr_t *group, const ip_addr_t *source)
{
    const struct multicast_group *here = multicast_find(netif, group);

    if (here && multicast_has(&here->filter.sources, source) == here->filter.exclude)
        return false; /* nobody at this interface wants it (ip_check_mc_rcu()) */
    for (; list; list = list->next)
        if (list->group->netif == netif && ip_addr_cmp_zoneless(&list->group->address, group))
            return multicast_has(&list->filter.sources, source) != list->filter.exclude;
    return true;
}

/* Its members' owners have left before. */
void multicast_netif_gone(const struct netif *netif)
{
    struct multicast_group *group = multicast_here()->groups, *next;

    for (; group; group = next) {
        next = group->next;
        if (group->netif == netif) {
            group->repeats = 0;
            multicast_forget(group);
        }
    }
    for (struct multicast_link **at = &multicast_here()->links; *at;) {
        struct multicast_link *link = *at;

        if (link->netif == netif) {
            *at = link->next;
            free(link);
        } else {
            at = &link->next;
        }
    }
}
