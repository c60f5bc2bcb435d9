/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The random oracle: sequences of socket calls, made from a seed, run against the kernel's sockets
 * and against ours, and compared after every step: results, errno, events, bytes and names.
 *
 *   generate.c  a sequence from a seed            run.c     one step against `sys`, and its trace:
 *   draw.c      the numbers that calls get        run_data.c, run_events.c, run_options.c, run_fds.c,
 *                                                 run_files.c, run_groups.c: those calls
 *   script.c    a step as a line to read          show.c    how a trace tells what a call returned
 *   main.c      batches in child processes,       place.c   a network of its own for the kernel's side
 *               comparison, shrinking             pace.c    when a step is over
 *   found.txt   what was found, and mended
 *
 * Both worlds have the same addresses, so traces compare as they are; only ports are named in the
 * order of their appearance. What differs by nature is kept out by the generator, and said there.
 */
#ifndef TEST_CONFORMANCE_ORACLE_H
#define TEST_CONFORMANCE_ORACLE_H

#include "../harness.h"

enum op {
    OP_SOCKET, OP_BIND, OP_LISTEN, OP_CONNECT, OP_DISCONNECT, OP_ACCEPT, OP_SEND, OP_SENDTO,
    OP_RECV, OP_RECVMSG, OP_READV, OP_WRITEV, OP_SHUTDOWN, OP_CLOSE, OP_RESET, OP_DUP, OP_SETOPT,
    OP_GETOPT, OP_NAMES, OP_FIONREAD, OP_NONBLOCK, OP_POLL, OP_SELECT, OP_FLOOD, OP_EPOLL_CREATE,
    OP_EPOLL_CTL, OP_EPOLL_WAIT, OP_EVENTFD, OP_EVENTFD_WRITE, OP_EVENTFD_READ, OP_SENDMSG,
    OP_SENDMMSG, OP_RECVMMSG, OP_DUP2, OP_LINGER, OP_OUTQ, OP_TCP_STATE, OP_SEND_MORE, OP_DUP3,
    OP_CLOSE_RANGE, OP_RIGHTS, OP_SENDFILE, OP_SPLICE_IN, OP_SPLICE_OUT, OP_MEMBERSHIP,
    OP_MULTICAST_IF, OP_COUNT
};

#define SLOTS 10    /* descriptors that a sequence can name */
#define STEPS_MAX 80
#define NOWHERE 255 /* `other`: no port of a slot */

/* What is meant by the numbers depends on the call: script.c shows it. */
struct step {
    uint8_t op, slot, other, place;
    int32_t a, b, c;
};

struct sequence {
    uint64_t seed;
    int count;
    struct step steps[STEPS_MAX];
};

/* Places beyond the harness's. */
#define GROUP_A (MAPPED_ANY + 1)
#define GROUP_B (MAPPED_ANY + 2)
#define PLACES (MAPPED_ANY + 3)

enum kind { TCP4, TCP6, UDP4, UDP6, KINDS };
static inline int kind_family(int kind) { return kind == TCP4 || kind == UDP4 ? AF_INET : AF_INET6; }
static inline int kind_type(int kind) { return kind <= TCP6 ? SOCK_STREAM : SOCK_DGRAM; }

/* Options of OP_SETOPT and OP_GETOPT: step.a is the row, step.b the value. */
struct oracle_option {
    const char *name;
    int level, number;
    int values[4];
};
extern const struct oracle_option oracle_options[];
extern const int oracle_options_count;

void generate(struct sequence *sequence, uint64_t seed, int length);

/* One line without its end. */
void script_line(char *text, size_t size, const struct step *step);
/* The same for found.txt: "bind 3 255 0 0 0 0", and back. False: no such step. */
void script_code(char *text, size_t size, const struct step *step);
bool script_parse(const char *text, struct step *step);

/*
 * Runs the whole sequence, closes what is left, and writes the trace to `out`. False: it took so long that
 * timers may have run in between, so that it proves nothing.
 */
bool run_sequence(const struct sequence *sequence, FILE *out);

/* In the child of the kernel's world: a namespace with our addresses. False: not permitted. */
bool place_enter(void);

#endif
