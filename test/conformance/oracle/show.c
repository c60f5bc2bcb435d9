/* SPDX-License-Identifier: Apache-2.0 */
/* How the trace of a sequence tells what a call returned. */
#include "show.h"

#include <arpa/inet.h>

#include "../worlds.h"

FILE *trace;
static int ports[64], ports_count;
static volatile sig_atomic_t pipes;

static void on_pipe(int number)
{
    (void)number;
    pipes++;
}

void show_begin(FILE *to)
{
    struct sigaction action = { .sa_handler = on_pipe, .sa_flags = SA_RESTART };

    sigaction(SIGPIPE, &action, NULL);
    trace = to;
    ports_count = 0;
}

static void say_port(int port)
{
    int i;

    for (i = 0; i < ports_count && ports[i] != port; i++)
        ;
    if (i == ports_count && ports_count < 64)
        ports[ports_count++] = port;
    fprintf(trace, ":p%d", i + 1);
}

void say_address(const void *address)
{
    const struct sockaddr_in *in = address;
    const struct sockaddr_in6 *in6 = address;
    char text[64] = "?";
    int port;

    if (in->sin_family != AF_INET && in->sin_family != AF_INET6) {
        fprintf(trace, " family %d", in->sin_family);
        return;
    }
    inet_ntop(in->sin_family, in->sin_family == AF_INET ? (void *)&in->sin_addr : (void *)&in6->sin6_addr,
              text, sizeof(text));
    fprintf(trace, " %s", text);
    port = ntohs(in->sin_port);
    if (port > 1)
        say_port(port);
    else
        fprintf(trace, ":%d", port);
}

bool say(long long result)
{
    if (result < 0)
        fprintf(trace, " = %s", error_name(errno));
    else
        fprintf(trace, " = %lld", result);
    if (pipes)
        fprintf(trace, " SIGPIPE");
    pipes = 0;
    return result >= 0;
}

bool say_fd(int fd)
{
    return fd < 0 ? say(fd) : (fprintf(trace, " = fd"), true);
}

void say_bytes(const uint8_t *bytes, long long count)
{
    uint32_t sum = 0;

    for (long long i = 0; i < count; i++)
        sum = sum * 31 + bytes[i];
    fprintf(trace, " \"%.*s\" #%08x", (int)(count < 12 ? count : 12), bytes, sum);
}
