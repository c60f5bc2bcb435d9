/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP_DEFER_ACCEPT: connections that are up but of which the listener hears only when data or a FIN has
 * come, or when their time is over. Until then there is a PCB and no socket; one that is reset meanwhile
 * was never there. All in the context of the listener's stack.
 */
#ifndef SOCKET_TCP_DEFER_H
#define SOCKET_TCP_DEFER_H

#include "lwip/tcp.h"
#include "stack/stack.h"

struct defer_queue {
    struct list waiting; /* oldest first */
    struct stack_timer timer;
    struct stack *stack;
    err_t (*deliver)(void *arg, struct tcp_pcb *pcb); /* ERR_OK: the PCB has another owner now */
    void *arg;
};

void defer_init(struct defer_queue *q, struct stack *stack, err_t (*deliver)(void *arg, struct tcp_pcb *pcb),
                void *arg);
/* Takes the PCB over. False: no memory, it is the caller's still. */
bool defer_add(struct defer_queue *q, struct tcp_pcb *pcb, uint32_t seconds);
/* The listener ends: as with the kernel's, the peers learn it by what they send next. */
void defer_end(struct defer_queue *q);

#endif
