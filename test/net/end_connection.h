/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of end.c, at either end: what it was asked to do, and how far it is. */
#ifndef TEST_NET_END_CONNECTION_H
#define TEST_NET_END_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIECE 65536
#define REQUEST_BYTES 16
#define SEED 0x5eed

/* end.c says what each does. */
enum what { ECHO, SINK, SOURCE, DEAF, SLOW, RESET, UNREAD, ABORT, COMPUTE, HOLD, WHATS };

struct request {
    uint32_t what, ms;
    uint64_t bytes;
};

struct totals {
    unsigned ok, bad, open; /* connections */
    int last_error;         /* errno, 0: none */
};

extern struct totals totals;
extern int ep;
/* What is being received or sent, by whoever is at it. */
extern uint8_t piece[PIECE];

uint64_t now_ms(void);
/* Says why from errno, and ends the process. */
_Noreturn void die(const char *what);

struct connection;

/* The server's end: its request comes first. Takes the descriptor. */
void connection_accept(int fd);
/* The client's end, being connected. Takes the descriptor. */
void connection_dial(int fd, const struct request *request);
/* What epoll said of it. It may be gone afterwards. */
void connection_turn(struct connection *c, uint32_t events);
/* Wakes those whose pause is over; how long to wait for the next, in ms. */
int connection_wake_paused(void);

#endif
