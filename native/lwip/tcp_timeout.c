/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP's time-outs, one function each way: next_*() says when, run_*() does it. Times are tcp_ticks (ms).
 * Retransmission: RFC 6298 with a lower floor; persist: RFC 9293 3.8.6.1; keepalive: RFC 1122 4.2.3.6.
 */
#include "lwip/tcp_timeout.h"

#include "base/compiler.h"
#include "lwip/instance.h"
#include "lwip/priv/tcp_priv.h"

#define RTO_FIRST_MS 1000 /* RFC 6298 2.1 */
#define RTO_MAX_MS 120000
/* A lone segment: the peer may hold back its ACK (Linux: 40 ms). With two in flight it may not. */
#define RTO_LONE_MIN_MS 60
#define PERSIST_MIN_MS 100
#define RETRY_MS 10       /* the device or the memory was short */
#define REFUSED_RETRY_MS 250
#define POLL_UNIT_MS 500  /* of tcp_poll() */
#define OOSEQ_MAX_MS 60000
#define ORPHAN_MAX_MS 100000 /* closed by the application, and the peer is silent */
#define SYN_RCVD_RETRIES 5

/* The total time that `retries` time-outs of Linux take, which is what its documentation promises. */
static uint32_t retries_ms(uint32_t retries)
{
    uint32_t rto_ms = 200, total_ms = 0;

    for (uint32_t i = 0; i <= retries; i++) {
        total_ms += rto_ms;
        rto_ms = min_u32(rto_ms * 2, 120000);
    }
    return total_ms;
}

/* ---- round-trip time ------------------------------------------------------------------------------ */

void tcp_rto_reset(struct tcp_pcb *pcb)
{
    uint32_t rto_ms = RTO_FIRST_MS;

    if (pcb->sa)
        /* the clock's own grain (1 ms) is the least deviation */
        rto_ms = ((uint32_t)(pcb->sa >> 3) + max_u32((uint32_t)pcb->sv, 1000) + 999) / 1000;
    pcb->rto = (s32_t)min_u32(max_u32(rto_ms, instance_tcp_settings()->rto_min_ms), RTO_MAX_MS);
}

void tcp_rtt_sample(struct tcp_pcb *pcb, u32_t rtt_us)
{
    int32_t sample = (int32_t)min_u32(max_u32(rtt_us, 1), 60000000);

    if (!pcb->least_rtt_us || (uint32_t)sample < pcb->least_rtt_us)
        pcb->least_rtt_us = (uint32_t)sample;
    if (!pcb->sa) {
        pcb->sa = sample << 3;
        pcb->sv = sample << 1;
    } else {
        /* RFC 6298 2.3 in scaled integers: srtt += error / 8, rttvar += (|error| - rttvar) / 4 */
        int32_t error = sample - (pcb->sa >> 3);

        pcb->sa = pcb->sa + error > 1 ? pcb->sa + error : 1;
        if (error < 0)
            error = -error;
        pcb->sv += error - (pcb->sv >> 2);
    }
    tcp_rto_reset(pcb);
}

static uint32_t rto_effective(const struct tcp_pcb *pcb)
{
    uint32_t rto_ms = (uint32_t)pcb->rto;

    if (pcb->unacked && !pcb->unacked->next && pcb->state >= ESTABLISHED)
        rto_ms = max_u32(rto_ms, RTO_LONE_MIN_MS);
    if (UNLIKELY(pcb->user_timeout_ms && pcb->nrtx)) { /* not later than that, as Linux */
        uint32_t passed = pcb->rto_at - pcb->rtx_since;

        rto_ms = min_u32(rto_ms, passed < pcb->user_timeout_ms ? pcb->user_timeout_ms - passed : 1);
    }
    return rto_ms;
}

static uint32_t persist_interval(const struct tcp_pcb *pcb)
{
    uint32_t base_ms = max_u32((uint32_t)pcb->rto, PERSIST_MIN_MS);

    return min_u32(base_ms << min_u32(pcb->persist_backoff - 1U, 10), RTO_MAX_MS);
}

/* ---- when --------------------------------------------------------------------------------------- */

static inline void earlier(uint32_t *due_ms, bool *any, uint32_t candidate_ms)
{
    if (!*any || (int32_t)(candidate_ms - *due_ms) < 0)
        *due_ms = candidate_ms;
    *any = true;
}

static bool is_kept_alive(const struct tcp_pcb *pcb)
{
    return ip_get_option(pcb, SOF_KEEPALIVE) &&
           (pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT);
}

/* From the last sign of life to the next probe; after the last probe, to the end. */
static uint32_t keepalive_ms(const struct tcp_pcb *pcb)
{
    return pcb->keep_idle + pcb->keep_cnt_sent * pcb->keep_intvl;
}

static bool waits_for_peers_end(const struct tcp_pcb *pcb)
{
    /* after shutdown() alone the peer may take as long as it likes */
    return pcb->state == FIN_WAIT_2 && (pcb->flags & TF_RXCLOSED);
}

static uint32_t fin_wait_ms(const struct tcp_pcb *pcb)
{
    if (pcb->fin_wait_ms < 0)
        return 0;
    return pcb->fin_wait_ms ? (uint32_t)pcb->fin_wait_ms : TCP_FIN_WAIT_TIMEOUT;
}

bool tcp_timeout_next(const struct tcp_pcb *pcb, uint32_t *due_ms)
{
    bool any = false;

    if (pcb->persist_backoff)
        earlier(due_ms, &any, pcb->persist_at + persist_interval(pcb));
    else if (pcb->rtime >= 0)
        earlier(due_ms, &any, pcb->rto_at + rto_effective(pcb));
    if (pcb->flags & TF_ACK_DELAY)
        earlier(due_ms, &any, pcb->ack_at + instance_tcp_settings()->delayed_ack_ms);
    if (UNLIKELY(pcb->flags & (TF_CLOSEPEND | TF_NAGLEMEMERR)))
        earlier(due_ms, &any, INSTANCE(tcp_ticks) + RETRY_MS);
    if (UNLIKELY(pcb->refused_data != NULL))
        earlier(due_ms, &any, INSTANCE(tcp_ticks) + REFUSED_RETRY_MS);
    if (UNLIKELY(pcb->poll != NULL))
        earlier(due_ms, &any, pcb->poll_at + POLL_UNIT_MS * max_u32(pcb->pollinterval, 1));
    if (UNLIKELY(pcb->ooseq != NULL))
        earlier(due_ms, &any, pcb->tmr + OOSEQ_MAX_MS);
    if (is_kept_alive(pcb))
        earlier(due_ms, &any, pcb->tmr + keepalive_ms(pcb));
    if (waits_for_peers_end(pcb))
        earlier(due_ms, &any, pcb->tmr + fin_wait_ms(pcb));
    return any;
}

/* ---- what --------------------------------------------------------------------------------------- */

static bool give_up(struct tcp_pcb *pcb, bool reset, err_t error)
{
    tcp_err_fn on_error = pcb->errf;
    void *context = pcb->callback_arg;

    if (error == ERR_TIMEOUT) {
        COUNT_PCB_EVENT(tcp_timeouts, pcb);
        if (pcb->soft_error && pcb->soft_error_at == pcb->lastack)
            error = (err_t)pcb->soft_error;
    }
    tcp_pcb_purge(pcb);
    if (reset)
        tcp_rst(pcb, pcb->snd_nxt, pcb->rcv_nxt, &pcb->local_ip, &pcb->remote_ip, pcb->local_port,
                pcb->remote_port);
    TCP_RMV_ACTIVE(pcb);
    tcp_free(pcb);
    if (on_error)
        on_error(context, error);
    return false;
}

void tcp_timeout_fail(struct tcp_pcb *pcb, int8_t error)
{
    give_up(pcb, false, error);
}

static bool is_orphan(const struct tcp_pcb *pcb)
{
    return (pcb->flags & TF_RXCLOSED) && pcb->state >= FIN_WAIT_1 && pcb->state != CLOSE_WAIT;
}

/* Has this gone on for too long without an answer? */
static bool is_hopeless(const struct tcp_pcb *pcb, uint32_t now_ms)
{
    const struct instance_tcp_settings *settings = instance_tcp_settings();

    if (pcb->state == SYN_SENT)
        return pcb->nrtx >= (pcb->syn_retries ? pcb->syn_retries : settings->syn_retries);
    if (pcb->state == SYN_RCVD)
        return pcb->nrtx >= SYN_RCVD_RETRIES;
    if (!pcb->nrtx && !pcb->persist_probe)
        return false;
    if (pcb->user_timeout_ms && now_ms - pcb->rtx_since >= pcb->user_timeout_ms)
        return true;
    return now_ms - pcb->rtx_since >= (is_orphan(pcb) ? ORPHAN_MAX_MS : retries_ms(settings->retries));
}

static bool run_retransmission(struct tcp_pcb *pcb, uint32_t now_ms)
{
    if (is_hopeless(pcb, now_ms))
        return give_up(pcb, false, ERR_TIMEOUT);
    if (!pcb->unacked && pcb->state >= ESTABLISHED) {
        /* nothing has left: the device refused it, or there is no way. Not the network's fault either */
        if (!pcb->nrtx)
            pcb->rtx_since = pcb->rto_at;
        tcp_rto_start(pcb);
        tcp_rexmit_rto_commit(pcb);
        return true;
    }
    if (tcp_rexmit_rto_prepare(pcb) != ERR_OK && (pcb->unacked || !pcb->unsent)) {
        /* the device still holds a segment: soon again, it is not the network's fault */
        pcb->rto_at = now_ms - rto_effective(pcb) + RETRY_MS;
        return true;
    }
    COUNT_PCB_EVENT(tcp_rto, pcb);
    if (!pcb->nrtx)
        pcb->rtx_since = pcb->rto_at;
    tcp_recovery_timeout(pcb);
    pcb->rto = (s32_t)min_u32((uint32_t)pcb->rto * 2, RTO_MAX_MS);
    tcp_rto_start(pcb);
    tcp_rexmit_rto_commit(pcb);
    return true;
}

static bool run_persist(struct tcp_pcb *pcb, uint32_t now_ms)
{
    if (pcb->unacked || !pcb->unsent) {
        /* something is in flight after all: its time-out takes over */
        pcb->persist_backoff = 0;
        return true;
    }
    if (is_hopeless(pcb, now_ms))
        return give_up(pcb, false, ERR_TIMEOUT);
    if (!pcb->persist_probe)
        pcb->rtx_since = now_ms;
    pcb->persist_at = now_ms;
    if (pcb->persist_backoff < 32)
        pcb->persist_backoff++;
    if (!pcb->snd_wnd)
        tcp_zero_window_probe(pcb);
    else if (tcp_split_unsent_seg(pcb, (u16_t)min_u32(pcb->snd_wnd, pcb->mss)) == ERR_OK)
        tcp_output(pcb); /* ends persisting when it sends */
    return true;
}

static bool run_keepalive(struct tcp_pcb *pcb)
{
    /* tcp(7): the user's time-out, where there is one, decides in place of the number of probes. */
    bool over = pcb->user_timeout_ms
                    ? pcb->keep_cnt_sent && INSTANCE(tcp_ticks) - pcb->tmr >= pcb->user_timeout_ms
                    : pcb->keep_cnt_sent >= pcb->keep_cnt;

    if (over)
        return give_up(pcb, true, ERR_TIMEOUT);
    tcp_keepalive(pcb);
    pcb->keep_cnt_sent++;
    return true;
}

/* Callbacks may end the connection without saying so. */
static bool run_callbacks(struct tcp_pcb *pcb, uint32_t now_ms)
{
    ip_addr_t local = pcb->local_ip, peer = pcb->remote_ip;
    uint16_t local_port = pcb->local_port, peer_port = pcb->remote_port;

    if (pcb->refused_data &&
        (tcp_process_refused_data(pcb) == ERR_ABRT ||
         tcp_demux(&local, local_port, &peer, peer_port) != pcb))
        return false;
    if (pcb->poll && now_ms - pcb->poll_at >= POLL_UNIT_MS * max_u32(pcb->pollinterval, 1)) {
        err_t error;

        pcb->poll_at = now_ms;
        error = pcb->poll(pcb->callback_arg, pcb);
        if (error == ERR_ABRT || tcp_demux(&local, local_port, &peer, peer_port) != pcb)
            return false;
        if (error == ERR_OK)
            tcp_output(pcb);
    }
    return true;
}

bool tcp_timeout_run(struct tcp_pcb *pcb)
{
    uint32_t now_ms = INSTANCE(tcp_ticks);

    if (pcb->persist_backoff) {
        if ((int32_t)(now_ms - pcb->persist_at - persist_interval(pcb)) >= 0 &&
            !run_persist(pcb, now_ms))
            return false;
    } else if (pcb->rtime >= 0 && (int32_t)(now_ms - pcb->rto_at - rto_effective(pcb)) >= 0 &&
               !run_retransmission(pcb, now_ms)) {
        return false;
    }
    if ((pcb->flags & TF_ACK_DELAY) &&
        (int32_t)(now_ms - pcb->ack_at - instance_tcp_settings()->delayed_ack_ms) >= 0) {
        COUNT_EVENT(tcp_delayed_acks);
        pcb->delayed_acks++;
        tcp_ack_now(pcb);
        tcp_output(pcb);
        tcp_clear_flags(pcb, TF_ACK_DELAY | TF_ACK_NOW);
    }
    if (pcb->flags & TF_CLOSEPEND) {
        tcp_clear_flags(pcb, TF_CLOSEPEND);
        tcp_close_shutdown_fin(pcb);
    }
    if (pcb->flags & TF_NAGLEMEMERR)
        tcp_output(pcb);
    if (pcb->ooseq && (int32_t)(now_ms - pcb->tmr - OOSEQ_MAX_MS) >= 0)
        tcp_free_ooseq(pcb);
    if (is_kept_alive(pcb) && (int32_t)(now_ms - pcb->tmr - keepalive_ms(pcb)) >= 0 &&
        !run_keepalive(pcb))
        return false;
    /* (A peer whose FIN is not waited for at all is told: tcp_rcv_state_process() of the kernel.) */
    if (waits_for_peers_end(pcb) && (int32_t)(now_ms - pcb->tmr - fin_wait_ms(pcb)) >= 0)
        return give_up(pcb, pcb->fin_wait_ms < 0, ERR_TIMEOUT);
    return run_callbacks(pcb, now_ms);
}

/*
 * While the link was down the time-outs have grown, maybe to minutes: what waits for one is sent now.
 * The first of many connections go at once, the others with the next passes (tcp_timer.c).
 */
void tcp_timeout_link_is_up(void)
{
    uint32_t now_ms = INSTANCE(tcp_ticks);

    for (struct tcp_pcb *pcb = INSTANCE(tcp_active_pcbs); pcb; pcb = pcb->next) {
        if (pcb->persist_backoff) {
            pcb->persist_backoff = 1;
            pcb->persist_at = now_ms - persist_interval(pcb);
        } else if (pcb->rtime >= 0 && pcb->nrtx) {
            tcp_rto_reset(pcb);
            pcb->rto_at = now_ms - rto_effective(pcb);
        } else {
            continue;
        }
        tcp_timer_update(pcb);
    }
}
