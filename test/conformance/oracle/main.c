/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was found once (found.txt), then random sequences in batches; the first that differs is shrunk to as
 * few steps as still do.
 *
 *     test_conformance_oracle [--seconds N] [--steps N] [--seed S] [--world NAME] [--length N]
 *         [--keep-going] [--found FILE] [--whole]
 *
 * One TAP line per world. A difference is a failure when it is there again in a run that was quick enough
 * for no timer to matter. What never is, is told: "unsteady" if quick runs are equal, "slow" if there is none;
 * --whole prints both traces of such a one.
 */
#include <sys/wait.h>

#include "../worlds.h"
#include "compare.h"
#include "found.h"

#define BATCH 100
#define TRIES 6
#define FOUND_MAX 200

static struct {
    uint64_t seed, steps;
    int seconds, length;
    const char *world, *found;
    bool keep_going, whole;
} ask = { .seconds = 1 << 20, .seed = 1, .steps = 10000, .length = 50,
          .found = PRONGHORN_ROOT "/test/conformance/oracle/found.txt" };

static int unsteady, slow, differing;

/* Where two traces part. */
static void tell(const char *what, uint64_t seed, const char *theirs, const char *mine)
{
    const char *line = mine, *other = theirs;

    if (theirs == NULL || mine == NULL)
        return;
    for (size_t i = 0; mine[i] && mine[i] == theirs[i]; i++) {
        if (mine[i] == '\n')
            line = mine + i + 1, other = theirs + i + 1;
    }
    printf("# %s, seed %llu:\n#   < %.*s\n#   > %.*s\n", what, (unsigned long long)seed,
           (int)strcspn(other, "\n"), other, (int)strcspn(line, "\n"), line);
    if (ask.whole)
        printf("<<<<\n%s>>>>\n%s====\n", theirs, mine);
    fflush(stdout);
}

/* The number of steps up to the first that differs. */
static int first_difference(const char *theirs, const char *mine)
{
    int lines = 1;

    for (; *theirs && *theirs == *mine; theirs++, mine++)
        lines += *theirs == '\n';
    return lines;
}

static void look_at(const struct world *ours, struct sequence *s, const char *theirs, const char *mine)
{
    int equal = 0, first = theirs && mine ? first_difference(theirs, mine) : s->count;

    for (int i = 0; i < TRIES; i++) {
        struct sequence part = *s;

        if (i % 2 && first < part.count)
            part.count = first; /* is over sooner */
        switch (compare(ours, &part)) {
        case EQUAL: equal++; break;
        case SLOW: break;
        case DIFFERENT:
            differing++;
            compare_shrink(ours, &part);
            compare_show(ours, &part);
            return;
        }
    }
    if (equal)
        unsteady++;
    else
        slow++;
    tell(equal ? "unsteady" : "slow", s->seed, theirs, mine);
}

/*
 * The sequences of the list, or those made from `seed` on; the number that were run up to the first that
 * differs.
 */
static int run_batch(const struct world *ours, const struct sequence *list, uint64_t seed, int count)
{
    struct traces theirs, mine;
    int done = count;

    compare_run(ours, list, seed, count, ask.length, &theirs, &mine);
    for (int i = 0; i < count; i++) {
        bool quick;
        char *a = compare_next(&theirs, &quick), *b = compare_next(&mine, &quick);
        struct sequence s;

        if (a && b && strcmp(a, b) == 0)
            continue;
        if (list)
            s = list[i];
        else
            generate(&s, seed + (uint64_t)i, ask.length);
        look_at(ours, &s, a, b);
        /* A world that ended has run nothing of the rest. */
        if (theirs.rest == NULL || mine.rest == NULL || (differing && !ask.keep_going)) {
            done = i + 1;
            break;
        }
    }
    free(theirs.text);
    free(mine.text);
    return done;
}

static void run_found(const struct world *ours)
{
    static struct sequence list[FOUND_MAX];
    int count = found_read(ask.found, list, FOUND_MAX);

    for (int at = 0; at < count && (differing == 0 || ask.keep_going);)
        at += run_batch(ours, list + at, 0, count - at);
    printf("# %d of found.txt\n", count);
}

static void run_world(const struct world *ours, int seconds, int test)
{
    uint64_t until = now_ms() + (uint64_t)seconds * 1000, steps = 0, seed = ask.seed;

    unsteady = slow = differing = 0;
    run_found(ours);
    while (now_ms() < until && steps < ask.steps && (differing == 0 || ask.keep_going)) {
        int done = run_batch(ours, NULL, seed, BATCH);

        seed += (uint64_t)done;
        steps += (uint64_t)done * (uint64_t)ask.length;
    }
    printf("# %llu steps from seed %llu; %d sequences unsteady, %d too slow to tell\n",
           (unsigned long long)steps, (unsigned long long)ask.seed, unsteady, slow);
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
        if (strcmp(argv[i], "--whole") == 0) {
            ask.whole = true;
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
        else if (strcmp(argv[i], "--found") == 0)
            ask.found = value;
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
