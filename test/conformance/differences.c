/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "differences.h"

#include <stdlib.h>
#include <string.h>

#define LISTED_MAX 256
#define LINES_MAX 4096

static struct listed {
    char *scenario, *label;
    bool used;
} listed[LISTED_MAX];
static int listed_count;

void differences_load(const char *group)
{
    FILE *file = fopen(PRONGHORN_ROOT "/docs/differences.md", "r");
    size_t size = 0, prefix = strlen(group);
    char *text = NULL;

    if (file == NULL)
        return;
    while (getline(&text, &size, file) > 0 && listed_count < LISTED_MAX) {
        char *id = text + 3, *colon, *end;

        if (strncmp(text, "- `", 3) != 0 || strncmp(id, group, prefix) != 0 || id[prefix] != '/')
            continue;
        end = strchr(id, '`');
        colon = strstr(id, ": ");
        if (end == NULL || colon == NULL || colon > end)
            continue;
        *end = *colon = 0;
        listed[listed_count].scenario = strdup(id + prefix + 1);
        listed[listed_count++].label = strdup(colon + 2);
    }
    free(text);
    fclose(file);
}

/* "label = value" of the trace: does the label match? */
static bool matches(const char *label, const char *line)
{
    size_t n = strlen(label);

    if (n > 0 && label[n - 1] == '*')
        return strncmp(label, line, n - 1) == 0;
    return strncmp(label, line, n) == 0 && strncmp(line + n, " = ", 3) == 0;
}

static bool is_listed(const char *scenario, const char *line)
{
    for (int i = 0; i < listed_count; i++) {
        if (strcmp(listed[i].scenario, scenario) == 0 && matches(listed[i].label, line)) {
            listed[i].used = true;
            return true;
        }
    }
    return false;
}

static int split(char *text, char **lines)
{
    char *rest = text, *line;
    int n = 0;

    while (n < LINES_MAX && (line = strsep(&rest, "\n")) != NULL) {
        if (*line)
            lines[n++] = line;
    }
    return n;
}

static size_t label_length(const char *line)
{
    const char *end = strstr(line, " = ");

    return end ? (size_t)(end - line) : strlen(line);
}

bool differences_compare(const char *scenario, const char *expected, const char *got, FILE *out)
{
    static char *theirs[LINES_MAX], *ours[LINES_MAX];
    char *a = strdup(expected ? expected : ""), *b = strdup(got ? got : "");
    int a_count = split(a, theirs), b_count = split(b, ours), i = 0, j = 0;
    bool equal = true;

    while (i < a_count || j < b_count) {
        const char *k = i < a_count ? theirs[i] : NULL, *o = j < b_count ? ours[j] : NULL;

        if (k && o && strcmp(k, o) == 0) {
            i++, j++;
            continue;
        }
        if (k && o && label_length(k) == label_length(o) && strncmp(k, o, label_length(k)) == 0) {
            if (!is_listed(scenario, k)) {
                equal = false;
                if (out)
                    fprintf(out, "#   %s\n#     ours%s\n", k, o + label_length(o));
            }
            i++, j++;
            continue;
        }
        /* Different labels: one of the two ended early. */
        equal = false;
        if (out)
            fprintf(out, "#   kernel: %s\n#   ours:   %s\n", k ? k : "(ended)", o ? o : "(ended)");
        break;
    }
    free(a);
    free(b);
    return equal;
}

int differences_unused(FILE *out)
{
    int unused = 0;

    for (int i = 0; i < listed_count; i++) {
        if (!listed[i].used) {
            fprintf(out, "# listed, but equal to the kernel: %s: %s\n", listed[i].scenario,
                    listed[i].label);
            unused++;
        }
    }
    return unused;
}
