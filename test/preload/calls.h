/* SPDX-License-Identifier: Apache-2.0 */
/* What the scenarios of the unmodified program share. */
#ifndef TEST_PRELOAD_CALLS_H
#define TEST_PRELOAD_CALLS_H

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            printf("line %d: %s (%s)\n", __LINE__, #condition, strerror(errno));            \
            fflush(stdout);                                                                 \
            _exit(1);                                                                       \
        }                                                                                   \
    } while (0)

extern bool ours; /* 127.0.0.1 is Pronghorn's */

struct sockaddr_in loopback(int port);
int listener(struct sockaddr_in *at);
/* Two ends of one connection; the listener is left open in *l if wanted. */
void connection(int pair[2], int *l);
void say(int fd, const char *text);
void hear(int fd, const char *text);

/* On sockets (calls_sockets.c), processes (calls_processes.c), by odd ways (calls_odd.c), guarded (calls_guarded.c). */
#define SCENARIOS(X)                                                                        \
    X(echo) X(before_connect) X(duplicates) X(streams) X(epolls) X(datagrams) X(wildcard)   \
    X(sharing) X(files) X(cost) X(forks) X(daemons) X(rights) X(signals)              \
    X(raw_waits) X(handlers) X(closes_all) X(odd_writes) X(other_kinds) X(failed_execs) X(owners) \
    X(fortified) X(io_urings)
#define DECLARE(name) void name(void);
SCENARIOS(DECLARE)
void execs(const char *self);
void after_exec(int fd);
void execs_itself(const char *self);
void after_own_exec(char *const *numbers);

#endif
