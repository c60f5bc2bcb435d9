/* SPDX-License-Identifier: Apache-2.0 */
#include "compare.h"

#include <sys/wait.h>

#include "../worlds.h"
#include "pace.h"

#define HANG_S 10
#define SHRINK_MAX 400 /* tries */
#define END "\001"

/* ---- two children ---- */

struct run {
    pid_t pid;
    FILE *trace;
};

static void start(struct run *run, const struct world *w, const struct sequence *list, uint64_t seed, int count,
                  int length)
{
    run->trace = tmpfile();
    fflush(NULL);
    run->pid = fork();
    if (run->pid != 0)
        return;
    if ((!w->ours && !place_enter()) || !world_enter(w) || !pace_begin())
        _exit(98);
    for (int i = 0; i < count; i++) {
        struct sequence made;
        bool quick;

        alarm(HANG_S); /* a hang is a difference, not the end of the run */
        if (list == NULL)
            generate(&made, seed + (uint64_t)i, length);
        quick = run_sequence(list ? &list[i] : &made, run->trace);
        fprintf(run->trace, END "%c", quick ? 'q' : 's');
        fflush(run->trace);
    }
    _exit(0);
}

static void finish(struct run *run, struct traces *traces)
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
    traces->text = traces->rest = text;
}

void compare_run(const struct world *ours, const struct sequence *list, uint64_t seed, int count, int length,
                 struct traces *theirs, struct traces *mine)
{
    struct run a, b;

    start(&a, &worlds[0], list, seed, count, length);
    start(&b, ours, list, seed, count, length);
    finish(&a, theirs);
    finish(&b, mine);
}

char *compare_next(struct traces *traces, bool *quick)
{
    char *begin = traces->rest, *end = begin ? strstr(begin, END) : NULL;

    *quick = true;
    if (end == NULL) {
        traces->rest = NULL;
        return begin;
    }
    *quick = end[1] == 'q';
    *end = 0;
    traces->rest = end + 2;
    return begin;
}

enum verdict compare(const struct world *ours, const struct sequence *s)
{
    struct traces theirs, mine;
    bool quick_theirs, quick_mine;
    enum verdict verdict = EQUAL;

    compare_run(ours, s, 0, 1, 0, &theirs, &mine);
    if (strcmp(compare_next(&theirs, &quick_theirs), compare_next(&mine, &quick_mine)) != 0)
        verdict = quick_theirs && quick_mine ? DIFFERENT : SLOW;
    free(theirs.text);
    free(mine.text);
    return verdict;
}

/* ---- shrinking ---- */

static void without(struct sequence *to, const struct sequence *from, int at, int count)
{
    *to = *from;
    memmove(&to->steps[at], &to->steps[at + count], (size_t)(to->count - at - count) * sizeof(to->steps[0]));
    to->count -= count;
}

/* The number of steps up to the first that differs. */
static int first_difference(const struct world *ours, const struct sequence *s)
{
    struct traces theirs, mine;
    const char *a, *b;
    bool quick;
    int lines = 1;

    compare_run(ours, s, 0, 1, 0, &theirs, &mine);
    a = compare_next(&theirs, &quick);
    b = compare_next(&mine, &quick);
    for (; *a && *a == *b; a++, b++)
        lines += *a == '\n';
    free(theirs.text);
    free(mine.text);
    return lines;
}

void compare_shrink(const struct world *ours, struct sequence *s)
{
    int tries = 0, first = first_difference(ours, s);

    if (first < s->count) { /* what comes after it is not part of it */
        struct sequence cut = *s;

        cut.count = first;
        if (compare(ours, &cut) == DIFFERENT)
            *s = cut;
    }
    for (int size = s->count / 2; size > 0; size = size == 1 ? 0 : size / 2) {
        for (int at = s->count - size; at >= 0 && tries < SHRINK_MAX; at -= size) {
            struct sequence smaller;

            if (at + size > s->count)
                continue;
            without(&smaller, s, at, size);
            tries++;
            if (compare(ours, &smaller) == DIFFERENT)
                *s = smaller;
        }
    }
}

void compare_show(const struct world *ours, const struct sequence *s)
{
    struct traces theirs, mine;
    char *rest_a, *rest_b, code[128];
    bool quick;

    compare_run(ours, s, 0, 1, 0, &theirs, &mine);
    rest_a = compare_next(&theirs, &quick);
    rest_b = compare_next(&mine, &quick);
    printf("# seed %llu, %d steps (kernel <, %s >):\n", (unsigned long long)s->seed, s->count, ours->name);
    while (rest_a || rest_b) {
        char *line_a = strsep(&rest_a, "\n"), *line_b = strsep(&rest_b, "\n");

        if (line_a && line_b && strcmp(line_a, line_b) == 0) {
            if (*line_a)
                printf("#     %s\n", line_a);
            continue;
        }
        printf("#   < %s\n#   > %s\n", line_a ? line_a : "(ended)", line_b ? line_b : "(ended)");
    }
    printf("# found:");
    for (int i = 0; i < s->count; i++) {
        script_code(code, sizeof(code), &s->steps[i]);
        printf("%s %s", i ? ";" : "", code);
    }
    printf("\n");
    fflush(stdout);
    free(theirs.text);
    free(mine.text);
}
