/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void json_out_init(struct json_out *out, char *text, size_t size)
{
    *out = (struct json_out){ .text = text, .size = size, .cut = size == 0 };
    if (size > 0)
        text[0] = '\0';
}

static void put(struct json_out *out, const char *bytes, size_t count)
{
    if (out->cut || out->size - out->length <= count) {
        out->cut = true;
        return;
    }
    memcpy(out->text + out->length, bytes, count);
    out->length += count;
    out->text[out->length] = '\0';
}

static void put_quoted(struct json_out *out, const char *value)
{
    put(out, "\"", 1);
    for (const char *c = value; *c; c++) {
        char escape[8];

        if (*c == '"' || *c == '\\')
            put(out, escape, (size_t)snprintf(escape, sizeof(escape), "\\%c", *c));
        else if ((unsigned char)*c < 0x20)
            put(out, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)*c));
        else
            put(out, c, 1);
    }
    put(out, "\"", 1);
}

/* What stands before a value. */
static void begin(struct json_out *out, const char *key)
{
    if (out->comma)
        put(out, ",", 1);
    out->comma = true;
    if (key == NULL)
        return;
    put_quoted(out, key);
    put(out, ":", 1);
}

void json_append(struct json_out *out, const struct json_out *part)
{
    if (part->length > 0) {
        begin(out, NULL);
        put(out, part->text, part->length);
    }
    out->cut |= part->cut;
}

void json_open(struct json_out *out, const char *key, char bracket)
{
    begin(out, key);
    put(out, &bracket, 1);
    out->comma = false;
}

void json_close(struct json_out *out, char bracket)
{
    put(out, &bracket, 1);
    out->comma = true;
}

void json_string(struct json_out *out, const char *key, const char *value)
{
    begin(out, key);
    put_quoted(out, value);
}

void json_number(struct json_out *out, const char *key, uint64_t value)
{
    char text[24];

    begin(out, key);
    put(out, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, value));
}

void json_signed(struct json_out *out, const char *key, int64_t value)
{
    char text[24];

    begin(out, key);
    put(out, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value));
}

void json_bool(struct json_out *out, const char *key, bool value)
{
    begin(out, key);
    put(out, value ? "true" : "false", value ? 4 : 5);
}

void json_line(struct json_out *out)
{
    put(out, "\n", 1);
    out->comma = false;
}
