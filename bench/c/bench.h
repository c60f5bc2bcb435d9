/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every benchmark program shares: options, pinning, a hard limit on its life, the start of the
 * stack, connecting and listening, and the report (one line of JSON on stdout).
 *
 * A program is `NAME server|client [options]`. The server prints "ready" when it listens. Exit
 * status: 0 done, 1 failed (one line on stderr), 2 wrong usage, 3 stopped by its time limit.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "histogram.h"
#include "seam.h"

enum bench_wait {
    BENCH_SPIN,  /* non-blocking calls in a busy loop */
    BENCH_BLOCK, /* blocking calls */
    BENCH_EPOLL, /* non-blocking calls, asleep in epoll_wait between them */
};

struct bench_options {
    bool is_server;
    const char *address;
    uint16_t port;         /* first local_port */
    unsigned ports;        /* how many in a row (flat) */
    int cpu;               /* -1: not pinned */
    enum bench_wait wait;
    double seconds;        /* measured time */
    double warmup_seconds; /* before it, not counted */
    unsigned limit_seconds;/* hard limit on the life of the process */
    size_t size;           /* bytes per operation */
    uint64_t count;        /* stop after so many operations; 0: by time only */
    unsigned window;       /* requests in flight (flat) */
    unsigned connections;  /* the most connections (flat) */
    unsigned slots, slot;  /* runs that share the cores, which of them this is (rr); 0: not shared */
    unsigned slot_ms;
};

/* Set by SIGTERM and SIGINT: finish, report, leave. */
extern volatile sig_atomic_t bench_stopped;

/* Parses the command line, pins the process, arms the limit. Does not start the stack. */
void bench_begin(int argc, char **argv, struct bench_options *o);
void bench_start_stack(void);

__attribute__((format(printf, 1, 2), noreturn)) void bench_die(const char *format, ...);

int bench_listen(const struct bench_options *o, uint16_t port, bool nonblocking);
/* Prints "ready" for whoever waits to start the other end. */
void bench_ready(void);
/* A connected socket with TCP_NODELAY; tries again while the peer or the wire is not up yet. */
int bench_connect(const struct bench_options *o, uint16_t port);
/* One accepted connection with TCP_NODELAY, or -1 when stopped. */
int bench_accept(const struct bench_options *o, int listener);
void bench_set_nodelay(int fd);

/* Sends/receives exactly `len` bytes as o->wait says. False: the peer closed, or we were stopped. */
struct bench_io {
    int fd;
    int epfd; /* -1 unless BENCH_EPOLL */
    enum bench_wait wait;
};
void bench_io_open(struct bench_io *io, int fd, enum bench_wait wait);
bool bench_send_all(struct bench_io *io, const void *buf, size_t len);
bool bench_recv_all(struct bench_io *io, void *buf, size_t len);
/* At least one byte, at most `len`; 0: end of stream or stopped. */
size_t bench_recv_some(struct bench_io *io, void *buf, size_t len);

/* Resident memory of this process, huge pages included. */
uint64_t bench_memory_bytes(void);
/* Memory in the kernel's slab caches, of the whole machine. */
uint64_t bench_slab_bytes(void);

/* The report: {"side":..,"bench":..,"ops":..,"seconds":..,"rate":..,"bytes":..,"latency":{..}<extra>} */
void bench_report(const char *bench, uint64_t ops, uint64_t bytes, uint64_t elapsed_ns,
                  const struct histogram *h, const char *extra);
/* "{"p50":..,"p99":..,"max":..,"mean":..}" in nanoseconds, into buf. */
void bench_format_latency(const struct histogram *h, char *buf, size_t size);

static inline uint64_t bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void bench_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

static inline uint64_t bench_ns(double seconds)
{
    return (uint64_t)(seconds * 1e9);
}

#endif
