/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process whose stacks hang, for the tests of the tool: hung [STACK...]. It has four stacks, one port
 * number that listens on the second, and a connection to it from the first. Then the named stacks go
 * astray until the process is killed: the first in the worst moment, while it writes a socket's row, and
 * it spins; the others sleep in their turn (a machine has few cores).
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "pronghorn.h"
#include "stack/group.h"
#include "stats/segment.h"

#define LIFE_S 300 /* only bounds what is left behind */

#define ROWS_LOOKED_AT 64

static unsigned used_rows(struct stats_socket **of_stack_1)
{
    unsigned used = 0;

    for (unsigned i = 0; i < ROWS_LOOKED_AT; i++) {
        struct stats_socket *row = segment_socket(i);

        if (row == NULL || row->id == 0)
            continue;
        used++;
        if (row->stack == 1)
            *of_stack_1 = row;
    }
    return used;
}

static void astray(struct rpc *rpc)
{
    struct stats_socket *row = NULL;

    used_rows(&row);
    if (row != NULL && (atomic_load(&row->sequence) & 1) == 0)
        stats_socket_begin(row);
    for (;;)
        cpu_relax();
}

static void asleep(struct rpc *rpc)
{
    for (;;)
        pause();
}

static void fail(const char *what)
{
    fprintf(stderr, "hung: %s\n", what);
    exit(1);
}

static void join_ends(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7000) };
    int listener = ph_socket(AF_INET, SOCK_STREAM, 0), near = ph_socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, "10.86.0.2", &to.sin_addr);
    if (ph_bind(listener, (struct sockaddr *)&to, sizeof(to)) < 0 || ph_listen(listener, 5) < 0)
        fail("listen");
    if (ph_connect(near, (struct sockaddr *)&to, sizeof(to)) < 0 || ph_accept(listener, NULL, NULL) < 0)
        fail("connect");
    if (ph_send(near, "hello", 5, 0) != 5)
        fail("send");
}

int main(int argc, char **argv)
{
    static struct rpc rpc[STACKS_MAX];
    const struct ph_setting settings[] = {
        { "memory.hugepages", "off" },
        { "stack.count", "4" },
        { "runtime.name", "hung" },
        { "log.level", "error" },
        { "port", "wire,address=10.86.0.1/24,stacks=0;wire,address=10.86.0.2/24,stacks=1;"
                  "wire,id=1,address=10.85.0.1/24,stacks=2;wire,id=1,address=10.85.0.2/24,stacks=3" },
    };

    struct stats_socket *row = NULL;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(LIFE_S);
    if (ph_init(settings, sizeof(settings) / sizeof(*settings)) < 0)
        fail(ph_error());
    join_ends();
    while (used_rows(&row) < 3) /* a listener, and both ends of a connection */
        usleep(1000);
    for (int i = 1; i < argc; i++) {
        unsigned stack = (unsigned)atoi(argv[i]);

        rpc_init(&rpc[stack], i == 1 ? astray : asleep);
        if (rpc_post(&group.stacks[stack]->inbox, &rpc[stack]))
            doorbell_ring(&group.stacks[stack]->bell);
    }
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
