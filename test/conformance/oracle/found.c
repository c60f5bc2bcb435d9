/* SPDX-License-Identifier: Apache-2.0 */
/*
 * found.txt: the shrunk sequences of what was different once, so that they are run whatever the generator
 * draws. A line with # says what it was, the one below it is what compare_show() printed: steps, separated by ;.
 */
#include "found.h"

static void parse(char *line, struct sequence *s)
{
    for (char *rest = line, *step; s->count < STEPS_MAX && (step = strsep(&rest, ";")) != NULL; s->count++) {
        if (!script_parse(step, &s->steps[s->count])) {
            fprintf(stderr, "found.txt:%llu: no step: %s\n", (unsigned long long)s->seed, step);
            exit(2);
        }
    }
}

int found_read(const char *path, struct sequence *list, int max)
{
    FILE *file = fopen(path, "r");
    char line[STEPS_MAX * 64];
    int count = 0;

    for (uint64_t number = 1; file && count < max && fgets(line, sizeof(line), file); number++) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#' || line[0] == 0)
            continue;
        list[count] = (struct sequence){ .seed = number };
        parse(line, &list[count++]);
    }
    if (file)
        fclose(file);
    return count;
}
