/* SPDX-License-Identifier: Apache-2.0 */
/* The wheel of tcp_timer.h; what happens when a PCB's time has come is in tcp_timeout.c. */
#include "lwip/tcp_timer.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "lwip/instance.h"
#include "lwip/memory.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp_timeout.h"

/* Two rings: 1024 ms in steps of 1 ms, and 512 steps of 1024 ms (nearly 9 minutes). What lies further
 * away waits at the far end of the second and is put back from there. */
#define FINE_SLOTS 1024U
#define COARSE_SLOTS 512U
#define COARSE_MS FINE_SLOTS
/* One pass sends at most so many segments: a hundred thousand ACKs at once would empty every pool. */
#define BATCH 256

struct wheel {
    struct tcp_pcb *fine[FINE_SLOTS];
    struct tcp_pcb *coarse[COARSE_SLOTS];
    uint64_t fine_used[FINE_SLOTS / 64]; /* a bit per slot with anything in it */
    uint64_t coarse_used[COARSE_SLOTS / 64];
    uint32_t done_ms; /* everything up to and including this has been looked at */
};

static INSTANCE_VAR struct wheel *template_wheel;

int tcp_timer_start(uint64_t now_us)
{
    struct wheel *wheel = memory_zalloc(1, sizeof(*wheel));

    INSTANCE(wheel) = wheel;
    if (!wheel)
        return -ENOMEM;
    tcp_timer_clock(now_us);
    wheel->done_ms = INSTANCE(tcp_ticks);
    return 0;
}

void tcp_timer_stop(void)
{
    if (INSTANCE(wheel))
        memory_free(INSTANCE(wheel));
    INSTANCE(wheel) = NULL;
}

void tcp_timer_clock(uint64_t now_us)
{
    INSTANCE(tcp_ticks) = (uint32_t)(now_us / 1000);
}

u32_t tcp_now_us(void)
{
    uint32_t now_us = (uint32_t)instance_now_us();

    return now_us ? now_us : 1;
}

/* ---- the wheel -------------------------------------------------------------------------------- */

static inline void bit_set(uint64_t *bits, uint32_t slot) { bits[slot / 64] |= 1ULL << slot % 64; }
static inline void bit_clear(uint64_t *bits, uint32_t slot) { bits[slot / 64] &= ~(1ULL << slot % 64); }

/* Distance from `slot` to the next used one, itself included, going round; `slots` if there is none. */
static uint32_t next_used(const uint64_t *bits, uint32_t slots, uint32_t slot)
{
    for (uint32_t seen = 0; seen < slots + 64;) {
        uint64_t word = bits[slot / 64] >> slot % 64;

        if (word) {
            seen += (uint32_t)__builtin_ctzll(word);
            return seen < slots ? seen : slots;
        }
        seen += 64 - slot % 64;
        slot = (slot + 64 - slot % 64) % slots;
    }
    return slots;
}

/* Into the slot of timer_due, never into the past. */
static void insert(struct wheel *wheel, struct tcp_pcb *pcb)
{
    uint32_t due_ms = pcb->timer_due;
    uint32_t ahead = due_ms - wheel->done_ms;
    struct tcp_pcb **slot;

    if ((int32_t)ahead <= 0) {
        due_ms = wheel->done_ms + 1;
        ahead = 1;
    }
    if (ahead < FINE_SLOTS) {
        slot = &wheel->fine[due_ms % FINE_SLOTS];
        bit_set(wheel->fine_used, due_ms % FINE_SLOTS);
    } else {
        uint32_t step = due_ms / COARSE_MS;
        uint32_t last = wheel->done_ms / COARSE_MS + COARSE_SLOTS - 1;

        if ((int32_t)(step - last) > 0)
            step = last;
        slot = &wheel->coarse[step % COARSE_SLOTS];
        bit_set(wheel->coarse_used, step % COARSE_SLOTS);
    }
    pcb->timer_next = *slot;
    pcb->timer_link = slot;
    if (*slot)
        (*slot)->timer_link = &pcb->timer_next;
    *slot = pcb;
}

/* The slot's bit stays: it is cleared when the slot is next looked at. */
void tcp_timer_disarm(struct tcp_pcb *pcb)
{
    if (!pcb->timer_link)
        return;
    *pcb->timer_link = pcb->timer_next;
    if (pcb->timer_next)
        pcb->timer_next->timer_link = pcb->timer_link;
    pcb->timer_next = NULL;
    pcb->timer_link = NULL;
}

void tcp_timer_update(struct tcp_pcb *pcb)
{
    uint32_t due_ms;

    /* tcp_pcb_remove() sends its last ACK after it left the lists: nothing may wait for it */
    if (!pcb->hash_link || pcb->state == TIME_WAIT || pcb->state <= LISTEN)
        return;
    if (!tcp_timeout_next(pcb, &due_ms))
        return;
    if (pcb->timer_link) {
        if ((int32_t)(due_ms - pcb->timer_due) >= 0)
            return;
        tcp_timer_disarm(pcb);
    }
    pcb->timer_due = due_ms;
    insert(INSTANCE(wheel), pcb);
}

/* A coarse step begins: its PCBs go into the fine ring, or further away. */
static void spread(struct wheel *wheel, uint32_t step)
{
    struct tcp_pcb **slot = &wheel->coarse[step % COARSE_SLOTS];
    struct tcp_pcb *all = *slot;

    bit_clear(wheel->coarse_used, step % COARSE_SLOTS);
    *slot = NULL;
    while (all) {
        struct tcp_pcb *pcb = all;

        all = pcb->timer_next;
        insert(wheel, pcb);
    }
}

/* Runs the PCBs of one slot; false when the batch is used up and some are left. */
static bool run_slot(struct wheel *wheel, uint32_t at_ms, int *batch)
{
    struct tcp_pcb **slot = &wheel->fine[at_ms % FINE_SLOTS];

    while (*slot) {
        struct tcp_pcb *pcb = *slot;

        if (*batch == 0)
            return false;
        tcp_timer_disarm(pcb);
        if ((int32_t)(pcb->timer_due - at_ms) > 0) {
            /* waits here for another round of the ring */
            insert(wheel, pcb);
            continue;
        }
        --*batch;
        COUNT_EVENT(timers);
        if (tcp_timeout_run(pcb))
            tcp_timer_update(pcb);
    }
    bit_clear(wheel->fine_used, at_ms % FINE_SLOTS);
    return true;
}

/* When the wheel must be looked at next, in ms after done_ms; 0: never. */
static uint32_t next_look(const struct wheel *wheel)
{
    uint32_t next_ms = wheel->done_ms + 1;
    uint32_t fine = next_used(wheel->fine_used, FINE_SLOTS, next_ms % FINE_SLOTS);
    uint32_t step = next_ms / COARSE_MS + (next_ms % COARSE_MS != 0);
    uint32_t coarse = next_used(wheel->coarse_used, COARSE_SLOTS, step % COARSE_SLOTS);
    uint32_t after = 0;

    if (fine < FINE_SLOTS)
        after = fine + 1;
    if (coarse < COARSE_SLOTS) {
        uint32_t coarse_after = (step + coarse) * COARSE_MS - wheel->done_ms;

        if (!after || coarse_after < after)
            after = coarse_after;
    }
    return after;
}

/* The oldest of TIME_WAIT leave; when the next will, in ms from now, 0: never. */
static uint32_t run_time_wait(uint32_t now_ms)
{
    uint32_t wait_ms = instance_tcp_settings()->time_wait_ms;

    while (INSTANCE(tcp_tw_oldest)) {
        struct tcp_pcb *pcb = INSTANCE(tcp_tw_oldest);
        uint32_t waited_ms = now_ms - pcb->tmr;

        if (waited_ms < wait_ms)
            return wait_ms - waited_ms;
        TCP_RMV(&INSTANCE(tcp_tw_pcbs), pcb);
        tcp_free(pcb);
    }
    return 0;
}

uint64_t tcp_timer_run(uint64_t now_us)
{
    struct wheel *wheel = INSTANCE(wheel);
    uint32_t now_ms = INSTANCE(tcp_ticks);
    uint64_t now_ms_long = now_us / 1000;
    uint32_t time_wait = run_time_wait(now_ms);
    uint64_t next_us = time_wait ? (now_ms_long + time_wait) * 1000 : UINT64_MAX;
    int batch = BATCH;
    uint32_t after;

    while ((after = next_look(wheel)) != 0 && after <= now_ms - wheel->done_ms) {
        uint32_t at_ms = wheel->done_ms + after;

        wheel->done_ms = at_ms - 1;
        if (at_ms % COARSE_MS == 0)
            spread(wheel, at_ms / COARSE_MS);
        if (!run_slot(wheel, at_ms, &batch))
            return now_us;
        wheel->done_ms = at_ms;
    }
    wheel->done_ms = now_ms;
    if (after) {
        /* `after` counted from where done_ms was when it was found */
        after = next_look(wheel);
        if ((now_ms_long + after) * 1000 < next_us)
            next_us = (now_ms_long + after) * 1000;
    }
    return next_us;
}
