/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the known name that a misspelt one is nearest to. */
#include <ctype.h>
#include <string.h>

#include "base/compiler.h"
#include "config/value.h"

#define NAME_MAX_COMPARED 63

/* Spelling habits that do not count as differences: Stack-Cores, stack_cores. */
static char plain(char c)
{
    return c == '-' || c == '.' ? '_' : (char)tolower((unsigned char)c);
}

/*
 * How many insertions, deletions, replacements and swaps of neighbours lead from one name to the
 * other (optimal string alignment distance), in three rows.
 */
static uint32_t spelling_distance(const char *a, const char *b)
{
    uint32_t row[NAME_MAX_COMPARED + 1], above[NAME_MAX_COMPARED + 1] = {0};
    uint32_t before[NAME_MAX_COMPARED + 1];
    size_t a_length = strlen(a), b_length = strlen(b);

    if (a_length > NAME_MAX_COMPARED || b_length > NAME_MAX_COMPARED)
        return UINT32_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (uint32_t)j;
    for (size_t i = 1; i <= a_length; i++) {
        memcpy(before, above, sizeof(above));
        memcpy(above, row, sizeof(row));
        row[0] = (uint32_t)i;
        for (size_t j = 1; j <= b_length; j++) {
            bool same = plain(a[i - 1]) == plain(b[j - 1]);

            row[j] = min_u32(above[j] + 1, row[j - 1] + 1);
            row[j] = min_u32(row[j], above[j - 1] + !same);
            if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) &&
                plain(a[i - 2]) == plain(b[j - 1]))
                row[j] = min_u32(row[j], before[j - 2] + 1);
        }
    }
    return row[b_length];
}

void value_nearest_try(struct value_nearest *nearest, const char *wanted, const char *candidate)
{
    const char *last_word = strrchr(candidate, '.');
    uint32_t distance = spelling_distance(wanted, candidate);

    /* "spin_us" for "stack.spin_us": the group was forgotten. */
    if (last_word && !strchr(wanted, '.')) {
        uint32_t without_group = spelling_distance(wanted, last_word + 1);
        if (without_group < UINT32_MAX)
            distance = min_u32(distance, without_group + 1);
    }
    /* Beyond a third of its letters it is another word, not a misspelling. */
    if (distance < nearest->distance && distance <= max_u32(2, (uint32_t)strlen(wanted) / 3)) {
        nearest->distance = distance;
        nearest->name = candidate;
    }
}
