/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of an lwIP that the kernel speaks to: an echo of TCP and UDP in lwIP, and round trips that a
 * kernel socket makes to it.
 */
#ifndef TEST_UNIT_KERNEL_ECHO_H
#define TEST_UNIT_KERNEL_ECHO_H

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "kernel_peer.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"

#define ECHO_PORT 7777

static void udp_echo(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    udp_sendto(pcb, p, from, port);
    pbuf_free(p);
}

/* Each connection echoes out of chunks, sent by reference; `held` in the order of sending. */
struct echo {
    struct peer *peer;
    struct tcp_pcb *pcb;
    struct chunk *first, *last;
    struct pbuf *waiting[512]; /* a ring: a pbuf chain holds at most 64 KiB */
    unsigned head, tail;
};

static void echo_end(struct echo *echo)
{
    for (struct chunk *chunk = echo->first, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        chunk_put(chunk);
    }
    while (echo->tail != echo->head)
        pbuf_free(echo->waiting[echo->tail++ % 512]);
    free(echo);
}

static void echo_pump(struct echo *echo)
{
    while (echo->tail != echo->head) {
        struct pbuf **at = &echo->waiting[echo->tail % 512], *p = *at;
        struct chunk *chunk;
        uint16_t bytes = (uint16_t)min_u32(p->tot_len, CHUNK_DATA_BYTES);

        if (tcp_sndbuf(echo->pcb) < bytes)
            break;
        chunk = chunk_alloc(echo->peer->chunks, &echo->peer->cache);
        if (chunk == NULL)
            break;
        pbuf_copy_partial(p, chunk->data, bytes, 0);
        if (tcp_write(echo->pcb, chunk->data, bytes, 0) != ERR_OK) {
            chunk_put(chunk);
            break;
        }
        chunk->queued = bytes;
        if (echo->first == NULL)
            echo->first = chunk;
        else
            echo->last->next = chunk;
        echo->last = chunk;
        tcp_recved(echo->pcb, bytes);
        *at = pbuf_free_header(p, bytes);
        if (*at == NULL)
            echo->tail++;
    }
    tcp_output(echo->pcb);
}

static err_t echo_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct echo *echo = arg;

    if (p == NULL) {
        if (echo->tail == echo->head) {
            tcp_arg(pcb, NULL);
            tcp_recv(pcb, NULL);
            tcp_sent(pcb, NULL);
            /* What is not acknowledged yet would be cut off: keep the chunks until reset or close. */
            tcp_close(pcb);
            echo_end(echo);
        }
        return ERR_OK;
    }
    if (echo->head - echo->tail == 512)
        return ERR_MEM;
    echo->waiting[echo->head++ % 512] = p;
    echo_pump(echo);
    return ERR_OK;
}

static err_t echo_sent(void *arg, struct tcp_pcb *pcb, u16_t bytes)
{
    struct echo *echo = arg;

    while (bytes > 0 && echo->first != NULL) {
        struct chunk *chunk = echo->first;
        uint16_t part = (uint16_t)min_u32(bytes, chunk->queued - chunk->acked);

        chunk->acked += part;
        bytes = (u16_t)(bytes - part);
        if (chunk->acked == chunk->queued) {
            echo->first = chunk->next;
            chunk_put(chunk);
        }
    }
    echo_pump(echo);
    return ERR_OK;
}

static void echo_error(void *arg, err_t err)
{
    if (arg != NULL)
        echo_end(arg);
}

static err_t echo_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct echo *echo;

    if (pcb == NULL)
        return ERR_VAL;
    echo = calloc(1, sizeof(*echo));
    echo->peer = arg;
    echo->pcb = pcb;
    tcp_arg(pcb, echo);
    tcp_recv(pcb, echo_recv);
    tcp_sent(pcb, echo_sent);
    tcp_err(pcb, echo_error);
    tcp_nagle_disable(pcb);
    return ERR_OK;
}

static struct udp_pcb *udp_listener;
static struct tcp_pcb *tcp_listener;

static inline void echo_listen(struct peer *on)
{
    peer_enter(on);
    udp_listener = udp_new_ip_type(IPADDR_TYPE_ANY);
    udp_bind(udp_listener, IP_ANY_TYPE, ECHO_PORT);
    udp_recv(udp_listener, udp_echo, on);
    tcp_listener = tcp_new_ip_type(IPADDR_TYPE_ANY);
    tcp_bind(tcp_listener, IP_ANY_TYPE, ECHO_PORT);
    tcp_listener = tcp_listen(tcp_listener);
    tcp_arg(tcp_listener, on);
    tcp_accept(tcp_listener, echo_accept);
    peer_leave(on);
}

static inline int kernel_connect(int type, int n, bool v6)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(ECHO_PORT)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(ECHO_PORT)};
    struct timeval wait = {.tv_sec = 5};
    int fd = socket(v6 ? AF_INET6 : AF_INET, type, 0), buffer = 1 << 20;
    char text[64];

    snprintf(text, sizeof(text), v6 ? "fd00:%d::2" : "10.%d.0.2", n);
    if (v6)
        inet_pton(AF_INET6, text, &in6.sin6_addr);
    else
        inet_pton(AF_INET, text, &in4.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
    ck_assert_int_eq(connect(fd, v6 ? (void *)&in6 : (void *)&in4, v6 ? sizeof(in6) : sizeof(in4)), 0);
    return fd;
}

static inline void pattern_fill(uint8_t *data, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)((i * 31 + seed) ^ (i >> 8));
}

static inline void udp_round_trip(int n, bool v6, size_t bytes)
{
    static uint8_t out[65536], in[65536];
    int fd = kernel_connect(SOCK_DGRAM, n, v6);
    ssize_t got;

    pattern_fill(out, bytes, (unsigned)bytes);
    ck_assert_int_eq(send(fd, out, bytes, 0), (ssize_t)bytes);
    got = recv(fd, in, sizeof(in), 0);
    ck_assert_msg(got == (ssize_t)bytes, "%zu bytes over IPv%d: %zd came back", bytes, v6 ? 6 : 4, got);
    ck_assert_int_eq(memcmp(in, out, bytes), 0);
    close(fd);
}

static inline void tcp_round_trip(int n, bool v6, size_t bytes, size_t write_bytes)
{
    int fd = kernel_connect(SOCK_STREAM, n, v6);
    uint8_t *out = malloc(bytes), *in = malloc(bytes);
    size_t sent = 0, got = 0;

    pattern_fill(out, bytes, 5);
    while (got < bytes) {
        struct pollfd pollfd = {fd, (short)(POLLIN | (sent < bytes ? POLLOUT : 0)), 0};
        ssize_t part;

        ck_assert_msg(poll(&pollfd, 1, 5000) == 1, "stalled after %zu of %zu sent, %zu back", sent, bytes, got);
        if (pollfd.revents & POLLOUT) {
            part = send(fd, out + sent, min_size(write_bytes, bytes - sent), MSG_DONTWAIT);
            sent += part > 0 ? (size_t)part : 0;
        }
        if (pollfd.revents & POLLIN) {
            part = recv(fd, in + got, bytes - got, 0);
            ck_assert_int_gt(part, 0);
            got += (size_t)part;
        }
    }
    ck_assert_int_eq(memcmp(in, out, bytes), 0);
    shutdown(fd, SHUT_WR);
    ck_assert_int_eq(recv(fd, in, bytes, 0), 0);
    close(fd);
    free(out);
    free(in);
}

#endif
