/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON into memory of fixed size: what others read of us (the facts in the statistics
 * segment, the answers of the console). `key` is NULL inside a list. What does not fit sets `cut`:
 * the text is then not whole.
 */
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_out {
    char *text; /* always ends with a zero */
    size_t size, length;
    bool comma; /* the next value needs one before it */
    bool cut;
};

void json_out_init(struct json_out *out, char *text, size_t size);
void json_open(struct json_out *out, const char *key, char bracket);  /* '{' or '[' */
void json_close(struct json_out *out, char bracket);                  /* '}' or ']' */
void json_string(struct json_out *out, const char *key, const char *value);
void json_number(struct json_out *out, const char *key, uint64_t value);
void json_signed(struct json_out *out, const char *key, int64_t value);
void json_bool(struct json_out *out, const char *key, bool value);
/* What was written into a text of its own, as if it had been written here. */
void json_append(struct json_out *out, const struct json_out *part);
/* Ends a line; the next value begins a text of its own. */
void json_line(struct json_out *out);

#endif
