/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/tcp_defer.h"

#include "lwip/mem.h"
#include "lwip/priv/tcp_priv.h"

struct deferral { /* the PCB's argument */
    struct list link;
    struct defer_queue *queue;
    struct tcp_pcb *pcb;
    uint64_t until_us;
};

/* The PCB is nobody's. */
static void forget(struct deferral *d)
{
    list_remove(&d->link);
    mem_free(d);
}

static struct tcp_pcb *release(struct deferral *d)
{
    struct tcp_pcb *pcb = d->pcb;

    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_err(pcb, NULL);
    forget(d);
    return pcb;
}

/* The first data, or the FIN (p is NULL). */
static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct deferral *d = arg;
    struct defer_queue *q = d->queue;

    release(d);
    if (q->deliver(q->arg, pcb) == ERR_OK)
        return pcb->recv(pcb->callback_arg, pcb, p, err);
    if (p)
        pbuf_free(p);
    tcp_abort(pcb);
    return ERR_ABRT;
}

static void on_err(void *arg, err_t err)
{
    (void)err;
    forget(arg);
}

static void run(struct stack_timer *timer)
{
    struct defer_queue *q = container_of(timer, struct defer_queue, timer);
    struct list *first;

    while ((first = list_first(&q->waiting)) != NULL) {
        struct deferral *d = container_of(first, struct deferral, link);
        struct tcp_pcb *pcb;

        if (d->until_us > q->stack->now_us) {
            stack_timer_start(q->stack, &q->timer, d->until_us);
            return;
        }
        pcb = release(d);
        if (q->deliver(q->arg, pcb) != ERR_OK)
            tcp_abort(pcb);
    }
}

void defer_init(struct defer_queue *q, struct stack *stack, err_t (*deliver)(void *arg, struct tcp_pcb *pcb),
                void *arg)
{
    list_init(&q->waiting);
    list_init(&q->timer.link);
    q->timer.run = run;
    q->stack = stack;
    q->deliver = deliver;
    q->arg = arg;
}

bool defer_add(struct defer_queue *q, struct tcp_pcb *pcb, uint32_t seconds)
{
    struct deferral *d = mem_malloc(sizeof(*d));

    if (d == NULL)
        return false;
    *d = (struct deferral){ .queue = q, .pcb = pcb, .until_us = q->stack->now_us + seconds * UINT64_C(1000000) };
    list_init(&d->link);
    /* All wait equally long, so the first is due first; what a changed option does to that is not worth a walk. */
    if (list_is_empty(&q->waiting))
        stack_timer_start(q->stack, &q->timer, d->until_us);
    list_push_back(&q->waiting, &d->link);
    tcp_arg(pcb, d);
    tcp_recv(pcb, on_recv);
    tcp_err(pcb, on_err);
    return true;
}

void defer_end(struct defer_queue *q)
{
    struct list *first;

    stack_timer_stop(&q->timer);
    while ((first = list_first(&q->waiting)) != NULL)
        tcp_abandon(release(container_of(first, struct deferral, link)), 0);
}
