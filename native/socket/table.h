/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket table of the statistics segment (stats/segment.h). Sockets do not keep their rows up to
 * date themselves: the stack writes some of them at each tick (loop/tick.c), the newest first, then
 * those that it wrote longest ago. So a socket that lives for less than a tick has no row and costs
 * nothing, and a hundred thousand of them make no turn long.
 *
 * Rows belong to stacks by turns (row i to stack i modulo the number of stacks): one writer each.
 */
#ifndef SOCKET_TABLE_H
#define SOCKET_TABLE_H

#include <stdbool.h>

struct socket;
struct stack;

/* Stack: the socket has state here from now on, or no more. */
void table_enter(struct socket *sock, struct stack *stack);
void table_leave(struct socket *sock, struct stack *stack);

/* Stack: writes rows, as many as may be done in one turn. False: all that had to be are written. */
bool table_refresh(struct stack *stack);

#endif
