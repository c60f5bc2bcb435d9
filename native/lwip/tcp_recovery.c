/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loss recovery and the congestion window.
 *
 * With selective acknowledgements (RFC 2018): each segment of the unacked queue carries two marks, "the
 * peer has it" and "sent again in this recovery". A segment is lost when three segments behind it have
 * arrived (RFC 6675 4, IsLost). What is in the network ("pipe") follows from the marks; the difference
 * to what was sent is pcb->credit, which may be sent beyond the congestion window. So one round trip
 * repairs any number of holes. A segment sent again is lost again when data sent after it arrived.
 * Without them: NewReno (RFC 6582), a hole per round trip.
 *
 * The window grows by byte counting (RFC 3465), and only while it is what limits the sender (RFC 7661).
 */
#include "base/compiler.h"
#include "lwip/instance_var.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp_congestion.h"

#define DUP_THRESHOLD 3

static inline uint32_t seg_start(const struct tcp_seg *seg)
{
    return lwip_ntohl(seg->tcphdr->seqno);
}

static inline uint32_t seg_length(const struct tcp_seg *seg)
{
    return TCP_TCPLEN(seg);
}

/* ---- the scoreboard ----------------------------------------------------------------------------- */

struct board {
    uint32_t sacked;    /* segments that the peer has */
    uint32_t high;      /* the end of the last of them */
};

static void mark(struct tcp_seg *queue, uint32_t limit, const struct tcp_sack_range *sacks, int count,
                 struct board *board)
{
    for (struct tcp_seg *seg = queue; seg; seg = seg->next) {
        uint32_t start = seg_start(seg), end = start + seg_length(seg);

        if (TCP_SEQ_GEQ(start, limit))
            break;
        for (int i = 0; i < count && !(seg->flags & TF_SEG_SACKED); i++)
            if (TCP_SEQ_GEQ(start, sacks[i].left) && TCP_SEQ_LEQ(end, sacks[i].right))
                seg->flags |= TF_SEG_SACKED;
        if (seg->flags & TF_SEG_SACKED) {
            board->sacked++;
            board->high = end;
        }
    }
}

/* Is this one, with `above` segments behind it at the peer, to be taken for lost? */
static bool is_lost(uint32_t above)
{
    return above >= DUP_THRESHOLD;
}

/* Goes over the queue and finds what is still in the network, which gives the credit. */
static void account(struct tcp_pcb *pcb, const struct board *board)
{
    uint32_t above = board->sacked;
    uint32_t sent = 0, pipe = 0;

    for (struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next) {
        uint32_t length = seg_length(seg);

        sent += length;
        if (seg->flags & TF_SEG_SACKED) {
            above--;
            continue;
        }
        if ((seg->flags & TF_SEG_RESENT) && board->sacked &&
            TCP_SEQ_GEQ(board->high, seg->resent_nxt + DUP_THRESHOLD * pcb->mss))
            seg->flags &= ~TF_SEG_RESENT;
        if (!is_lost(above) || (seg->flags & TF_SEG_RESENT))
            pipe += length;
    }
    pcb->credit = sent - pipe;
}

static struct board look(struct tcp_pcb *pcb, const struct tcp_sack_range *sacks, int count)
{
    struct board board = {0, pcb->lastack};
    struct tcp_sack_range valid[4];
    int valid_count = 0;

    for (int i = 0; i < count; i++)
        /* below lastack it tells of a duplicate (RFC 2883), beyond snd_nxt it lies */
        if (TCP_SEQ_LT(sacks[i].left, sacks[i].right) && TCP_SEQ_GT(sacks[i].left, pcb->lastack) &&
            TCP_SEQ_LEQ(sacks[i].right, pcb->snd_nxt))
            valid[valid_count++] = sacks[i];
    mark(pcb->unacked, pcb->snd_nxt, valid, valid_count, &board);
    if (pcb->flags & TF_RTO) {
        /* the time-out moved what was in flight to the unsent queue */
        struct board waiting = board;

        mark(pcb->unsent, pcb->snd_nxt, valid, valid_count, &waiting);
    }
    return board;
}

/*
 * What a peer said that it had it may throw away again (RFC 2018 8), as ours does when memory is short: the first
 * segment is missing then, for otherwise the acknowledgement would go further. All marks are worth as little.
 */
static void forget_if_reneged(struct tcp_pcb *pcb)
{
    struct tcp_seg *first = pcb->unacked ? pcb->unacked : pcb->unsent, *queues[] = { pcb->unacked, pcb->unsent };

    if (LIKELY(!first || !(first->flags & TF_SEG_SACKED)))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(queues); i++)
        for (struct tcp_seg *seg = queues[i]; seg && TCP_SEQ_LT(seg_start(seg), pcb->snd_nxt); seg = seg->next)
            seg->flags &= ~(TF_SEG_SACKED | TF_SEG_RESENT);
}

/* ---- in and out of recovery ------------------------------------------------------------------------ */

/* Counts as a retransmission: what has gone on for too long (tcp_timeout.c) is reckoned from the first. */
static err_t resend_first(struct tcp_pcb *pcb)
{
    bool first = pcb->nrtx == 0;
    err_t err = tcp_rexmit(pcb);

    if (first && pcb->nrtx)
        pcb->rtx_since = INSTANCE(tcp_ticks);
    return err;
}

static void enter(struct tcp_pcb *pcb, tcpwnd_size_t flight)
{
    COUNT_PCB_EVENT(tcp_fast_retransmits, pcb);
    pcb->recover = pcb->snd_nxt;
    pcb->recover_set = 1;
    tcp_congestion_loss(pcb, flight);
    pcb->cwnd = pcb->ssthresh;
    pcb->bytes_acked = 0;
    if (pcb->flags & TF_SACK) {
        struct tcp_seg *first = pcb->unacked;

        /* RFC 6675 5, step 4.3: the first one at once */
        tcp_set_flags(pcb, TF_INFR);
        if (tcp_resend(pcb, first) == ERR_OK) {
            first->flags |= TF_SEG_RESENT;
            first->resent_nxt = pcb->snd_nxt;
        }
        tcp_rto_start(pcb);
    } else if (resend_first(pcb) == ERR_OK) {
        tcp_set_flags(pcb, TF_INFR);
        /* the three that arrived have left the network */
        pcb->cwnd += DUP_THRESHOLD * pcb->mss;
        tcp_rto_start(pcb);
    }
}

static void leave(struct tcp_pcb *pcb)
{
    uint32_t flight = pcb->snd_nxt - pcb->lastack;

    tcp_clear_flags(pcb, TF_INFR);
    for (struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next)
        seg->flags &= ~TF_SEG_RESENT;
    /* RFC 6582 3.2 (3): no burst when little is in flight */
    pcb->cwnd = min_u32(pcb->ssthresh, max_u32(flight, pcb->mss) + pcb->mss);
    if (pcb->flags & TF_SACK)
        pcb->cwnd = pcb->ssthresh;
    pcb->bytes_acked = 0;
    pcb->dupacks = 0;
}

static void partial_ack(struct tcp_pcb *pcb, tcpwnd_size_t acked)
{
    if (pcb->flags & TF_SACK)
        return;
    /* RFC 6582 3.2 (3): the next hole begins here */
    if (pcb->unacked)
        resend_first(pcb);
    pcb->cwnd = pcb->cwnd > acked ? pcb->cwnd - acked : 0;
    if (acked >= pcb->mss || pcb->cwnd < pcb->mss)
        pcb->cwnd += pcb->mss;
}

static bool loss_is_seen(const struct tcp_pcb *pcb, const struct board *board)
{
    if (!pcb->unacked || (pcb->flags & TF_RTO))
        return false;
    if (pcb->flags & TF_SACK)
        return is_lost(board->sacked) || pcb->dupacks >= DUP_THRESHOLD;
    /* RFC 6582 3.2 (2): duplicates of what the last recovery sent are no news */
    return pcb->dupacks == DUP_THRESHOLD &&
           (!pcb->recover_set || TCP_SEQ_GEQ(pcb->lastack, pcb->recover));
}

void tcp_recovery_ack(struct tcp_pcb *pcb, tcpwnd_size_t acked, tcpwnd_size_t flight, int duplicate,
                      const struct tcp_sack_range *sacks, int num_sacks)
{
    struct board board = {0, 0};
    bool has_board = (pcb->flags & TF_SACK) && (num_sacks || pcb->credit || (pcb->flags & TF_INFR));

    if (acked)
        forget_if_reneged(pcb);
    if (has_board)
        board = look(pcb, sacks, num_sacks);
    if (pcb->flags & TF_INFR) {
        if (acked && TCP_SEQ_GEQ(pcb->lastack, pcb->recover))
            leave(pcb);
        else if (acked)
            partial_ack(pcb, acked);
        else if (duplicate && !(pcb->flags & TF_SACK))
            pcb->cwnd += pcb->mss;
    } else if (acked && pcb->state >= ESTABLISHED) {
        tcp_congestion_acked(pcb, acked, flight);
    }
    if (!(pcb->flags & TF_INFR) && loss_is_seen(pcb, &board))
        enter(pcb, flight);
    if (has_board)
        account(pcb, &board);
}

void tcp_recovery_send(struct tcp_pcb *pcb)
{
    uint32_t in_network = 0, above = 0;
    bool resent = false;

    for (const struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next) {
        in_network += seg_length(seg);
        if (seg->flags & TF_SEG_SACKED)
            above++;
    }
    in_network -= min_u32(pcb->credit, in_network);
    for (struct tcp_seg *seg = pcb->unacked; seg && above; seg = seg->next) {
        uint32_t length = seg_length(seg);

        if (seg->flags & TF_SEG_SACKED) {
            above--;
            continue;
        }
        if (seg->flags & TF_SEG_RESENT)
            continue;
        /* RFC 6675 4, NextSeg: (1) lost ones; then (2) new data; (3) others with something behind them */
        if (!is_lost(above) && pcb->unsent)
            break;
        if (in_network + length > pcb->cwnd || tcp_resend(pcb, seg) != ERR_OK)
            break;
        seg->flags |= TF_SEG_RESENT;
        seg->resent_nxt = pcb->snd_nxt;
        resent = true;
        if (is_lost(above)) {
            in_network += length;
            pcb->credit -= min_u32(length, pcb->credit);
        }
    }
    if (resent)
        tcp_clear_flags(pcb, TF_ACK_DELAY | TF_ACK_NOW);
}

void tcp_recovery_timeout(struct tcp_pcb *pcb)
{
    /* only the first time-out of a row says something new */
    pcb->undo = !pcb->nrtx;
    if (!pcb->nrtx) {
        pcb->undo_ms = INSTANCE(tcp_ticks);
        pcb->undo_cwnd = pcb->cwnd;
        pcb->undo_ssthresh = pcb->ssthresh;
        tcp_congestion_loss(pcb, pcb->snd_nxt - pcb->lastack);
    }
    pcb->cwnd = pcb->mss;
    pcb->bytes_acked = 0;
    pcb->dupacks = 0;
    pcb->credit = 0;
    pcb->recover = pcb->snd_nxt;
    pcb->recover_set = 1;
    tcp_clear_flags(pcb, TF_INFR);
}

/* What the time-out moved to the unsent queue and was not sent again is still on its way. */
static void take_for_sent(struct tcp_pcb *pcb)
{
    struct tcp_seg *first = pcb->unsent, *last = NULL;

    for (struct tcp_seg *seg = first; seg && TCP_SEQ_LT(seg_start(seg), pcb->rto_end); seg = seg->next)
        last = seg;
    if (!last)
        return;
    if (pcb->unacked)
        tcp_unacked_last(pcb)->next = first;
    else
        pcb->unacked = first;
    pcb->unacked_tail = last;
    pcb->unsent = last->next;
    last->next = NULL;
    if (!pcb->unsent) {
        pcb->unsent_tail = NULL;
        pcb->unsent_oversize = 0;
    }
    tcp_rto_start(pcb);
}

/*
 * The peer echoes the timestamp of what made it acknowledge. One from before the time-out says that the
 * original had only been late (RFC 3522): nothing was lost (RFC 4015 3.2), go on where we were.
 */
void tcp_recovery_undo(struct tcp_pcb *pcb, u32_t ts_echo)
{
    pcb->undo = 0;
    if (!(pcb->flags & TF_TIMESTAMP) || !ts_echo || (int32_t)(ts_echo - pcb->undo_ms) >= 0)
        return;
    COUNT_EVENT(tcp_rto_undone);
    pcb->cwnd = max_u32(pcb->cwnd, pcb->undo_cwnd);
    pcb->ssthresh = max_u32(pcb->ssthresh, pcb->undo_ssthresh);
    if (pcb->flags & TF_RTO) {
        take_for_sent(pcb);
        tcp_clear_flags(pcb, TF_RTO);
    }
}

u32_t tcp_recovery_allowance(const struct tcp_pcb *pcb)
{
    uint32_t allowance = pcb->cwnd;

    if (pcb->flags & TF_SACK)
        allowance += pcb->credit;
    if (!(pcb->flags & TF_INFR) && !pcb->credit)
        /* limited transmit (RFC 3042): each of the first two duplicates lets one more go */
        allowance += min_u32(pcb->dupacks, DUP_THRESHOLD - 1) * pcb->mss;
    return allowance;
}
