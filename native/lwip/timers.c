/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lwIP's periodic work but TCP's (LWIP_TIMERS_CUSTOM): a fixed table, one due time per row and instance, nothing
 * allocated. A row whose work is not needed right now does not wake the stack.
 */
#include "lwip/timers.h"

#include <stdbool.h>

#include "base/compiler.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/instance.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/multicast.h"
#include "lwip/nd6.h"
#include "lwip/netif.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

/* After a long sleep of the whole process a timer makes up for so many periods and no more. */
#define CATCH_UP_PERIODS 64

/* Reports to the multicast routers are sent some 100 ms after they are asked for. */
static bool igmp_is_needed(void)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
        for (struct igmp_group *group = netif_igmp_data(netif); group; group = group->next)
            if (group->timer)
                return true;
    return false;
}

static bool mld6_is_needed(void)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
        for (struct mld_group *group = netif_mld6_data(netif); group; group = group->next)
            if (group->timer)
                return true;
    return false;
}

static const struct timer {
    uint32_t period_ms;
    void (*run)(void);
    bool (*is_needed)(void); /* NULL: always */
} timers[] = {
    {ARP_TMR_INTERVAL, etharp_tmr, NULL},
    {IP_TMR_INTERVAL, ip_reass_tmr, NULL},
    {IGMP_TMR_INTERVAL, igmp_tmr, igmp_is_needed},
    {ND6_TMR_INTERVAL, nd6_tmr, NULL},
    {IP6_REASS_TMR_INTERVAL, ip6_reass_tmr, NULL},
    {MLD6_TMR_INTERVAL, mld6_tmr, mld6_is_needed},
    {MULTICAST_TMR_INTERVAL, multicast_tmr, multicast_tmr_is_needed},
};

struct timer_state {
    uint64_t due_us[ARRAY_SIZE(timers)]; /* 0: sleeps, because it was not needed */
};

static INSTANCE_VAR struct timer_state template_timer_state;

void sys_timeouts_init(void)
{
}

uint64_t timers_run(uint64_t now_us)
{
    struct timer_state *state = &INSTANCE(timer_state);
    uint64_t next_us = UINT64_MAX;

    for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
        const struct timer *timer = &timers[i];
        uint64_t period_us = timer->period_ms * 1000ULL;
        uint64_t *due_us = &state->due_us[i];

        if (timer->is_needed && !timer->is_needed()) {
            *due_us = 0;
            continue;
        }
        if (!*due_us)
            *due_us = now_us + period_us;
        for (int periods = 0; *due_us <= now_us; periods++) {
            *due_us += period_us;
            if (periods == CATCH_UP_PERIODS)
                *due_us = now_us + period_us;
            timer->run();
        }
        if (*due_us < next_us)
            next_us = *due_us;
    }
    return next_us;
}
