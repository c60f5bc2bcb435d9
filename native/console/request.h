/* SPDX-License-Identifier: Apache-2.0 */
/* A request, taken apart. */
#ifndef CONSOLE_REQUEST_H
#define CONSOLE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_out.h"

#define REQUEST_WORDS_MAX 32

struct request {
    const char *verb;
    unsigned count;
    struct {
        const char *name, *value;
        bool used;
    } word[REQUEST_WORDS_MAX];
    char problem[256]; /* the first that was found; empty: none */
};

/* Cuts the line up, in place. */
void request_parse(struct request *request, char *line);

/* What the request says, or the default. A wrong value, or one out of its limits, is a problem. */
const char *request_text(struct request *request, const char *name, const char *otherwise);
uint64_t request_number(struct request *request, const char *name, uint64_t otherwise, uint64_t min, uint64_t max);

/* False: there is a problem, or a word that nobody asked for; the answer says so. */
bool request_is_sound(struct request *request, struct json_out *answer);

void answer_error(struct json_out *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void answer_done(struct json_out *answer);

#endif
