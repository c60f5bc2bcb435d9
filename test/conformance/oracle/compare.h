/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences in both worlds at once, and the smallest part of one that still differs. */
#ifndef TEST_CONFORMANCE_ORACLE_COMPARE_H
#define TEST_CONFORMANCE_ORACLE_COMPARE_H

#include "oracle.h"

/* What was run, of one world. */
struct traces {
    char *text; /* all of it; the caller frees it */
    char *rest;
};

/* `count` sequences: of the list, or (NULL) made from that seed and those that follow. */
void compare_run(const struct world *ours, const struct sequence *list, uint64_t seed, int count, int length,
                 struct traces *theirs, struct traces *mine);

/* The next sequence's trace, NULL: the world ended before. `quick`: run_sequence() said so. */
char *compare_next(struct traces *traces, bool *quick);

enum verdict {
    EQUAL,
    DIFFERENT,
    SLOW /* they differ, but so much time went by that it proves nothing */
};
enum verdict compare(const struct world *ours, const struct sequence *s);

void compare_shrink(const struct world *ours, struct sequence *s);
/* Both traces beside each other, equal lines once, and the steps for found.txt. */
void compare_show(const struct world *ours, const struct sequence *s);

#endif
