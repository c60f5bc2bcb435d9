/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON (RFC 8259) as a sequence of values, each with its path and line; builds no tree and
 * allocates nothing. Own code because the core must load with libc alone, and the Debian package of
 * a small JSON library (jansson) has no position-independent static archive.
 */
#ifndef CONFIG_JSON_H
#define CONFIG_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum json_kind {
    JSON_STRING, /* unescaped, UTF-8; one with a NUL in it is refused */
    JSON_NUMBER, /* as written */
    JSON_BOOL,   /* "true" or "false" */
    JSON_NULL,
    JSON_OBJECT_END, /* after the values in it; text is empty */
    JSON_ARRAY_END,
};

struct json_value {
    enum json_kind kind;
    const char *path; /* "stack.cores", "port[0].address[1]"; "" the whole text */
    const char *text;
    unsigned line;
};

struct json_reader {
    /* False ends the reading; json_read() then returns false and leaves `problem` alone. */
    bool (*value)(void *context, const struct json_value *value);
    void *context;
    unsigned line;     /* where reading ended */
    char problem[128]; /* empty: ended by value() */
};

bool json_read(struct json_reader *reader, const char *text, size_t length);

#endif
