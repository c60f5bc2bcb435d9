/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp_congestion.h. Reno: RFC 5681 with byte counting (RFC 3465). CUBIC: RFC 9438. */
#include "lwip/tcp_congestion.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/compiler.h"
#include "lwip/instance.h"
#include "lwip/priv/tcp_priv.h"

/* ---- Reno ------------------------------------------------------------------------------------------ */

static void reno_acked(struct tcp_pcb *pcb, uint32_t acked)
{
    pcb->bytes_acked += acked;
    if (pcb->bytes_acked >= pcb->cwnd) {
        pcb->bytes_acked -= pcb->cwnd;
        pcb->cwnd += pcb->mss;
    }
}

static uint32_t reno_loss(struct tcp_pcb *pcb, uint32_t flight)
{
    return flight / 2;
}

/* ---- CUBIC: windows in segments, times in seconds ----------------------------------------------------- */

#define CUBIC_C 0.4f
#define CUBIC_BETA 0.7f

static void cubic_begin(struct tcp_pcb *pcb, float window)
{
    struct tcp_cubic *cubic = &pcb->cubic;

    cubic->running = 1;
    cubic->began_us = instance_now_us();
    if (window < cubic->highest) {
        cubic->k = cbrtf((cubic->highest - window) / CUBIC_C);
    } else {
        cubic->k = 0;
        cubic->highest = window;
    }
    cubic->reno = window;
}

static void cubic_acked(struct tcp_pcb *pcb, uint32_t acked)
{
    struct tcp_cubic *cubic = &pcb->cubic;
    float mss = pcb->mss, window = (float)pcb->cwnd / mss, segments = (float)acked / mss;
    float seconds, target;

    if (!cubic->running)
        cubic_begin(pcb, window);
    /* where the curve will be a round trip from now */
    seconds = (float)(instance_now_us() - cubic->began_us + (uint32_t)(pcb->sa >> 3)) * 1e-6f - cubic->k;
    target = CUBIC_C * seconds * seconds * seconds + cubic->highest;
    target = fminf(fmaxf(target, window), window * 1.5f);
    /* 4.3: never less than Reno would have by now */
    cubic->reno += (cubic->reno < cubic->highest ? 3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA) : 1) *
                   segments / window;
    if (cubic->reno > target)
        pcb->cwnd = max_u32(pcb->cwnd, (uint32_t)(cubic->reno * mss));
    else
        pcb->cwnd += (uint32_t)((target - window) / window * segments * mss);
}

static uint32_t cubic_loss(struct tcp_pcb *pcb, uint32_t flight)
{
    struct tcp_cubic *cubic = &pcb->cubic;
    float window = (float)flight / pcb->mss;

    /* 4.7: who is below its last height makes room for newcomers */
    cubic->highest = window < cubic->highest ? window * (1 + CUBIC_BETA) / 2 : window;
    cubic->running = 0;
    return (uint32_t)((float)flight * CUBIC_BETA);
}

/* ---- the table --------------------------------------------------------------------------------------- */

static const struct strategy {
    const char *name;
    void (*acked)(struct tcp_pcb *pcb, uint32_t acked); /* beyond slow start */
    uint32_t (*loss)(struct tcp_pcb *pcb, uint32_t flight); /* the new ssthresh */
} strategies[] = {
    [TCP_CUBIC] = {"cubic", cubic_acked, cubic_loss},
    [TCP_RENO] = {"reno", reno_acked, reno_loss},
};

const char *tcp_congestion_name(unsigned int congestion)
{
    return congestion < ARRAY_SIZE(strategies) ? strategies[congestion].name : NULL;
}

int tcp_congestion_find(const char *name)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(strategies); i++)
        if (!strcmp(name, strategies[i].name))
            return (int)i;
    return -1;
}

void tcp_congestion_acked(struct tcp_pcb *pcb, uint32_t acked, uint32_t flight)
{
    bool slow_start = pcb->cwnd < pcb->ssthresh;

    /* RFC 7661: a window that was not used says nothing about the network */
    if (flight + 2U * pcb->mss < pcb->cwnd / (slow_start ? 2 : 1)) {
        pcb->cubic.running = 0;
        return;
    }
    if (slow_start) {
        /* RFC 3465 2.2, 2.3: two segments per ACK, one while a time-out is being repaired */
        uint32_t most = (pcb->flags & TF_RTO ? 1U : 2U) * pcb->mss;

        pcb->cwnd += min_u32(acked, most);
        return;
    }
    strategies[pcb->congestion].acked(pcb, acked);
}

void tcp_congestion_loss(struct tcp_pcb *pcb, uint32_t flight)
{
    pcb->ssthresh = max_u32(strategies[pcb->congestion].loss(pcb, flight), 2U * pcb->mss);
}
