/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unmodified program that does with its sockets what servers do: one scenario for each run, named
 * by the first argument. It talks to itself on 127.0.0.1, which the kernel serves, or we do (a route
 * rule): both must look alike, except where a scenario says so. Exit status 0: as expected; else a
 * line says what was not.
 */
#include "calls.h"

#include <fcntl.h>
#include <stdlib.h>

bool ours;

struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

int listener(struct sockaddr_in *at)
{
    socklen_t len = sizeof(*at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    *at = loopback(0);
    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
    CHECK(bind(fd, (struct sockaddr *)at, sizeof(*at)) == 0);
    CHECK(listen(fd, 16) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)at, &len) == 0);
    CHECK(ntohs(at->sin_port) != 0 && at->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    return fd;
}

void connection(int pair[2], int *l)
{
    struct sockaddr_in at;
    int fd = listener(&at);

    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
    if (connect(pair[0], (struct sockaddr *)&at, sizeof(at)) < 0)
        CHECK(errno == EINPROGRESS);
    pair[1] = accept4(fd, NULL, NULL, 0);
    CHECK(pair[1] >= 0);
    CHECK(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(pair[0], F_SETFL, 0) == 0);
    if (l)
        *l = fd;
    else
        CHECK(close(fd) == 0);
}

void say(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

void hear(int fd, const char *text)
{
    char buffer[256];
    size_t got = 0;

    while (got < strlen(text)) {
        ssize_t n = read(fd, buffer + got, strlen(text) - got);

        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(memcmp(buffer, text, got) == 0);
}

static int early_fd = -1;

/* Before main: calls and a socket. */
__attribute__((constructor(150))) static void early(void)
{
    early_fd = socket(AF_INET, SOCK_STREAM, 0);
    close(dup(0));
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
#define ROW(name) { #name, name },
    static const struct {
        const char *name;
        void (*run)(void);
    } scenarios[] = { SCENARIOS(ROW) };

    ours = getenv("PRONGHORN_ROUTE") != NULL && getenv("LD_PRELOAD") != NULL;
    CHECK(early_fd >= 0 && close(early_fd) == 0);
    if (strcmp(what, "execs") == 0) {
        execs(arguments[0]);
        return 0;
    }
    if (strcmp(what, "execs_itself") == 0) {
        execs_itself(arguments[0]);
        return 0;
    }
    if (strcmp(what, "after_own_exec") == 0) {
        after_own_exec(arguments + 2);
        return 0;
    }
    if (strcmp(what, "after_exec") == 0) {
        after_exec(atoi(arguments[2]));
        return 0;
    }
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (strcmp(what, scenarios[i].name) == 0) {
            scenarios[i].run();
            return 0;
        }
    }
    fprintf(stderr, "no such scenario: %s\n", what);
    return 2;
}
