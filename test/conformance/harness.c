/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main() of each conformance program: every world runs in a child process of its own, which sends
 * its trace through a pipe. A child that hangs or dies fails the scenario at which it did, and
 * another one goes on with the next. Then the traces are compared, and each scenario of each of our
 * worlds is one TAP line.
 *
 *     test_conformance_<group> [scenario]      only that one, and its traces are printed
 *     CONFORMANCE_WORLD=inline                 only that one of our worlds
 */
#include <setjmp.h>
#include <sys/wait.h>

#include "differences.h"
#include "network.h"
#include "trace.h"
#include "worlds.h"

#define HANG_MS 8000
#define MARK_END "\001end"

extern sigjmp_buf scenario_over; /* help.c */

static const char own_loopback[] = "ip link set lo up";
static const char *only, *world_name;
static const char *network; /* how the kernel's world gets one of its own; NULL: it has the machine's */

static int scenario_count(void)
{
    int n = 0;

    while (scenarios[n].name)
        n++;
    return n;
}

static bool is_chosen(int i)
{
    return only == NULL || strcmp(only, scenarios[i].name) == 0;
}

/* ---- the child ---- */

/* By itself, so that no variable of a caller lives across the jump. */
static __attribute__((noinline)) void run_scenario(int i)
{
    if (sigsetjmp(scenario_over, 0) == 0)
        scenarios[i].run();
}

static __attribute__((noreturn)) void run_world(const struct world *w, int from, int to, int fd)
{
    static const char end[] = MARK_END "\n";

    trace_start(fd);
    world = *w;
    if (network && (!w->ours || &group_port) && !network_enter(network))
        _exit(96);
    if (&group_start && !group_start())
        _exit(96);
    if (!world_enter(w))
        _exit(98);
    for (int i = from; i < to; i++) {
        if (is_chosen(i)) {
            trace_scenario();
            run_scenario(i);
            join();
            world_tidy();
            settle();
        }
        if (write(fd, end, sizeof(end) - 1) < 0)
            _exit(97);
    }
    _exit(0);
}

/* ---- the parent ---- */

/* Appends a line of its own to a trace. */
static void add_line(char **trace, const char *text)
{
    size_t had = *trace ? strlen(*trace) : 0;

    *trace = realloc(*trace, had + strlen(text) + 2);
    sprintf(*trace + had, "%s\n", text);
}

/* Reads the child's trace of scenarios [*at, to); *at: the first that it did not finish. */
static void collect(int fd, pid_t child, char **traces, int *at, int to)
{
    FILE *in = fdopen(fd, "r");
    char *text = NULL;
    size_t size = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    const char *why = "the process ended";
    int status;

    /* stdio buffers; so wait only when it has nothing left, which a pipe of whole lines allows. */
    setvbuf(in, NULL, _IONBF, 0);
    while (*at < to) {
        if (poll(&p, 1, world_patience > 1 ? 2 * HANG_MS : HANG_MS) <= 0) {
            why = "hangs";
            break;
        }
        if (getline(&text, &size, in) <= 0)
            break;
        text[strcspn(text, "\n")] = 0;
        if (strcmp(text, MARK_END) == 0) {
            if (traces[*at] == NULL)
                add_line(&traces[*at], "(nothing said)");
            (*at)++;
        } else {
            add_line(&traces[*at], text);
        }
    }
    if (*at < to)
        kill(child, SIGKILL);
    waitpid(child, &status, 0);
    if (*at < to) {
        char line[128];

        snprintf(line, sizeof(line), "*** %s (status 0x%x)", why, (unsigned)status);
        add_line(&traces[*at], line);
        (*at)++;
    }
    free(text);
    fclose(in);
}

static void run_in_children(const struct world *w, int from, int to, char **traces)
{
    while (from < to) {
        int pipe_fds[2];
        pid_t child;

        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
            exit(2);
        fflush(NULL);
        child = fork();
        if (child == 0) {
            close(pipe_fds[0]);
            run_world(w, from, to, pipe_fds[1]);
        }
        close(pipe_fds[1]);
        collect(pipe_fds[0], child, traces, &from, to);
    }
}

static char *run_again(const struct world *w, int i)
{
    char **traces = calloc((size_t)i + 1, sizeof(*traces)), *trace;

    run_in_children(w, i, i + 1, traces);
    trace = traces[i];
    free(traces);
    return trace;
}

/* Both once more, with time to settle: a busy machine must not look like a difference. */
static bool equal_with_patience(const struct world *w, int i, char **expected, char **trace)
{
    world_patience = 12;
    free(*trace);
    free(*expected);
    *trace = run_again(w, i);
    *expected = run_again(&worlds[0], i);
    world_patience = 1;
    return differences_compare(scenarios[i].name, *expected, *trace, NULL);
}

static bool is_permitted(const char *commands)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(!network_enter(commands));
    waitpid(child, &status, 0);
    return status == 0;
}

int main(int argc, char **argv)
{
    int count = scenario_count(), test = 0, failed = 0, listed;
    char **expected = calloc((size_t)count, sizeof(*expected));

    if (argc > 1)
        only = argv[1];
    world_name = getenv("CONFORMANCE_WORLD");
    if (group_network || &group_own_ports)
        network = group_network ? group_network : own_loopback;
    if (network && !is_permitted(network)) {
        if (group_network) {
            printf("ok 1 - %s # SKIP no network namespaces here\n1..1\n", group_name);
            return 0;
        }
        network = NULL;
    }
    differences_load(group_name);
    run_in_children(&worlds[0], 0, count, expected);
    for (int w = 1; w < worlds_count; w++) {
        char **traces;

        if (world_name && strcmp(world_name, worlds[w].name) != 0)
            continue;
        traces = calloc((size_t)count, sizeof(*traces));
        run_in_children(&worlds[w], 0, count, traces);
        for (int i = 0; i < count; i++) {
            bool equal, late = false;

            if (!is_chosen(i))
                continue;
            equal = differences_compare(scenarios[i].name, expected[i], traces[i], NULL);
            if (!equal)
                equal = late = equal_with_patience(&worlds[w], i, &expected[i], &traces[i]);
            printf("%s %d - %s: %s (%s)%s\n", equal ? "ok" : "not ok", ++test, group_name,
                   scenarios[i].name, worlds[w].name, late ? " # the second time" : "");
            if (!equal)
                differences_compare(scenarios[i].name, expected[i], traces[i], stdout);
            if (only)
                printf("# ---- kernel\n%s# ---- ours\n%s", expected[i], traces[i]);
            failed += !equal;
            fflush(stdout);
            free(traces[i]);
        }
        free(traces);
    }
    for (int i = 0; i < count; i++)
        free(expected[i]);
    free(expected);
    listed = only ? 0 : differences_unused(stdout);
    printf("%s %d - %s: every listed difference exists\n", listed ? "not ok" : "ok", ++test, group_name);
    printf("1..%d\n", test);
    return failed || listed;
}
