/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes on their way to an operator who may read slowly. */
#ifndef CONSOLE_OUTPUT_H
#define CONSOLE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
    char *bytes;
    size_t size, start, end;
};

/* Room for `count` bytes behind the others, all of them to be filled; NULL: no memory. */
void *output_take(struct output *out, size_t count);
/* Writes what the socket takes. 0, or -errno: the operator is gone. */
int output_send(struct output *out, int fd);
void output_free(struct output *out);

static inline size_t output_waiting(const struct output *out)
{
    return out->end - out->start;
}

#endif
