/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs batches of sequences in two child processes at once, one per world, compares the traces, and
 * shrinks the first sequence that differs to as few steps as still do.
 *
 *     test_conformance_oracle [--seconds N] [--steps N] [--seed S] [--world NAME] [--length N]
 *         [--keep-going] [--verbose]
 *
 * One TAP line per world. A difference that only shows when the machine is hurried is told, and is
 * no failure; with time to settle every sequence must be equal.
 */
#include <sys/wait.h>

#include "../worlds.h"
#include "oracle.h"

#define BATCH 100
#define HANG_S 5
#define SHRINK_MAX 400 /* tries */
#define END "\001end"

static struct {
    uint64_t seed, steps;
    int seconds, length;
    const char *world;
    bool keep_going, verbose;
} ask = { .seconds = 30, .seed = 1, .steps = 10000, .length = 50 };

static int hurried, differing;

/* ---- two children ---- */

struct run {
    pid_t pid;
    FILE *trace;
};

static void start(struct run *run, const struct world *w, const struct sequence *only, uint64_t seed, int count)
{
    run->trace = tmpfile();
    fflush(NULL);
    run->pid = fork();
    if (run->pid != 0)
        return;
    if ((!w->ours && !place_enter()) || !world_enter(w))
        _exit(98);
    for (int i = 0; i < count; i++) {
        struct sequence made;

        alarm(HANG_S * world_patience); /* a hang is a difference, not the end of the run */
        if (only == NULL)
            generate(&made, seed + (uint64_t)i, ask.length);
        run_sequence(only ? only : &made, run->trace);
        fprintf(run->trace, END "\n");
        fflush(run->trace);
    }
    _exit(0);
}

/* The whole trace, for the caller to free. */
static char *finish(struct run *run)
{
    int status;
    long size;
    char *text;

    waitpid(run->pid, &status, 0);
    fseek(run->trace, 0, SEEK_END);
    size = ftell(run->trace);
    rewind(run->trace);
    text = calloc(1, (size_t)size + 64);
    if (fread(text, 1, (size_t)size, run->trace) != (size_t)size)
        size = 0;
    if (status != 0)
        sprintf(text + size, "*** the process ended with status 0x%x\n", (unsigned)status);
    fclose(run->trace);
    return text;
}

static void run_both(const struct world *ours, const struct sequence *only, uint64_t seed, int count,
                     char **theirs_text, char **ours_text)
{
    struct run a, b;

    start(&a, &worlds[0], only, seed, count);
    start(&b, ours, only, seed, count);
    *theirs_text = finish(&a);
    *ours_text = finish(&b);
}

static bool differs(const struct world *ours, const struct sequence *s, unsigned patience)
{
    char *a, *b;
    bool result;

    world_patience = patience;
    run_both(ours, s, 0, 1, &a, &b);
    world_patience = 1;
    result = strcmp(a, b) != 0;
    free(a);
    free(b);
    return result;
}

/* ---- shrinking ---- */

static void without(struct sequence *to, const struct sequence *from, int at, int count)
{
    *to = *from;
    memmove(&to->steps[at], &to->steps[at + count], (size_t)(to->count - at - count) * sizeof(to->steps[0]));
    to->count -= count;
}

static void shrink(const struct world *ours, struct sequence *s)
{
    int tries = 0;

    /* What comes after the first difference is not part of it: halve from the end first. */
    for (int cut = s->count / 2; cut > 0 && tries < SHRINK_MAX; cut /= 2) {
        struct sequence smaller = *s;

        for (;;) {
            smaller.count = s->count - cut;
            if (smaller.count <= 0 || tries++ >= SHRINK_MAX || !differs(ours, &smaller, 2))
                break;
            s->count = smaller.count;
        }
    }
    for (int size = s->count / 2; size > 0; size = size == 1 ? 0 : size / 2) {
        for (int at = s->count - size; at >= 0 && tries < SHRINK_MAX; at -= size) {
            struct sequence smaller;

            if (at + size > s->count)
                continue;
            without(&smaller, s, at, size);
            tries++;
            if (differs(ours, &smaller, 2))
                *s = smaller;
        }
    }
}

/* Both traces beside each other: equal lines once. */
static void show(const struct world *ours, const struct sequence *s)
{
    char *a, *b, *rest_a, *rest_b;

    world_patience = 2;
    run_both(ours, s, 0, 1, &a, &b);
    world_patience = 1;
    printf("# seed %llu, %d steps (kernel <, %s >):\n", (unsigned long long)s->seed, s->count, ours->name);
    rest_a = a;
    rest_b = b;
    while (rest_a || rest_b) {
        char *line_a = strsep(&rest_a, "\n"), *line_b = strsep(&rest_b, "\n");

        if (line_a && line_b && strcmp(line_a, line_b) == 0) {
            if (*line_a && *line_a != '\001')
                printf("#     %s\n", line_a);
            continue;
        }
        printf("#   < %s\n#   > %s\n", line_a ? line_a : "(ended)", line_b ? line_b : "(ended)");
    }
    fflush(stdout);
    free(a);
    free(b);
}

/* ---- batches ---- */

static char *next_sequence(char **rest)
{
    char *begin = *rest, *end = begin ? strstr(begin, END "\n") : NULL;

    if (end == NULL) {
        *rest = NULL;
        return begin;
    }
    *end = 0;
    *rest = end + sizeof(END);
    return begin;
}

/* Where two traces part: for who wants to know what a hurry does. */
static void tell_hurried(uint64_t seed, const char *mine, const char *his)
{
    const char *line = mine, *other = his;

    hurried++;
    if (!ask.verbose || mine == NULL || his == NULL)
        return;
    for (size_t i = 0; mine[i] && mine[i] == his[i]; i++) {
        if (mine[i] == '\n')
            line = mine + i + 1, other = his + i + 1;
    }
    printf("# hurried, seed %llu:\n#   < %.*s\n#   > %.*s\n", (unsigned long long)seed,
           (int)strcspn(line, "\n"), line, (int)strcspn(other, "\n"), other);
}

static void look_at(const struct world *ours, uint64_t seed, const char *mine, const char *his)
{
    static const unsigned patience[] = { 1, 2, 1, 4, 1, 2 };
    struct sequence s;

    generate(&s, seed, ask.length);
    /* Patience is no cure for all: what takes 200 ms (MSG_MORE) must not come between two steps. */
    for (size_t i = 0; i < sizeof(patience) / sizeof(patience[0]); i++) {
        if (!differs(ours, &s, patience[i])) {
            tell_hurried(seed, mine, his);
            return;
        }
    }
    differing++;
    shrink(ours, &s);
    show(ours, &s);
}

/* The number of sequences that were run before the first that differs. */
static int run_batch(const struct world *ours, uint64_t seed, int count)
{
    char *a, *b, *rest_a, *rest_b;
    int i, done;

    run_both(ours, NULL, seed, count, &a, &b);
    rest_a = a;
    rest_b = b;
    done = count;
    for (i = 0; i < count; i++) {
        char *mine = next_sequence(&rest_a), *his = next_sequence(&rest_b);

        if (mine == NULL || his == NULL || strcmp(mine, his) != 0) {
            look_at(ours, seed + (uint64_t)i, mine, his);
            /* A world that ended has run nothing of the rest. */
            if (rest_a == NULL || rest_b == NULL || (differing && !ask.keep_going)) {
                done = i + 1;
                break;
            }
        }
    }
    free(a);
    free(b);
    return done;
}

static void run_world(const struct world *ours, int seconds, int test)
{
    uint64_t until = now_ms() + (uint64_t)seconds * 1000, steps = 0, seed = ask.seed;

    hurried = differing = 0;
    while (now_ms() < until && steps < ask.steps && (differing == 0 || ask.keep_going)) {
        int done = run_batch(ours, seed, BATCH);

        seed += (uint64_t)done;
        steps += (uint64_t)done * (uint64_t)ask.length;
    }
    printf("# %llu steps from seed %llu, %d sequences equal only with patience\n",
           (unsigned long long)steps, (unsigned long long)ask.seed, hurried);
    printf("%s %d - oracle: %s equals the kernel\n", differing ? "not ok" : "ok", test, ours->name);
    fflush(stdout);
}

static bool permitted(void)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(!place_enter());
    waitpid(child, &status, 0);
    return status == 0;
}

int main(int argc, char **argv)
{
    int test = 0, failed = 0;

    world_caretaker_ms = "1000"; /* a second driver would only make turns come late */
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "0";

        if (strcmp(argv[i], "--keep-going") == 0) {
            ask.keep_going = true;
            continue;
        }
        if (strcmp(argv[i], "--verbose") == 0) {
            ask.verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--seconds") == 0)
            ask.seconds = atoi(value), ask.steps = UINT64_MAX;
        else if (strcmp(argv[i], "--steps") == 0)
            ask.steps = strtoull(value, NULL, 10), ask.seconds = 1 << 20;
        else if (strcmp(argv[i], "--seed") == 0)
            ask.seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--length") == 0)
            ask.length = atoi(value) < STEPS_MAX ? atoi(value) : STEPS_MAX;
        else if (strcmp(argv[i], "--world") == 0)
            ask.world = value;
        i++;
    }
    if (!permitted()) {
        printf("ok 1 - oracle # SKIP no network namespaces here\n1..1\n");
        return 0;
    }
    for (int w = 1; w < worlds_count; w++) {
        /* Virtual numbers are another numbering only: the groups compare them. */
        if (ask.world ? strcmp(ask.world, worlds[w].name) != 0 : worlds[w].virtual_numbers)
            continue;
        run_world(&worlds[w], ask.seconds, ++test);
        failed += differing;
    }
    printf("1..%d\n", test);
    return failed != 0;
}
