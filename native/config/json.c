/* SPDX-License-Identifier: Apache-2.0 */
#include "config/json.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

#define PATH_BYTES 256
#define TEXT_BYTES 1024
#define DEPTH_MAX 16

struct state {
    struct json_reader *reader;
    const char *at, *end;
    unsigned depth;
    size_t path_length;
    char path[PATH_BYTES];
    char text[TEXT_BYTES];
};

static bool read_value(struct state *state);

static bool fail(struct state *state, const char *format, ...) PRINTF_LIKE(2, 3);
static bool fail(struct state *state, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(state->reader->problem, sizeof(state->reader->problem), format, arguments);
    va_end(arguments);
    return false;
}

static bool tell(struct state *state, enum json_kind kind, unsigned line)
{
    const struct json_value value = {kind, state->path, state->text, line};

    state->reader->line = line;
    return state->reader->value(state->reader->context, &value);
}

/* The next character that is not white space, not consumed; -1 at the end. */
static int look(struct state *state)
{
    for (; state->at < state->end; state->at++) {
        if (*state->at == '\n')
            state->reader->line++;
        else if (*state->at != ' ' && *state->at != '\t' && *state->at != '\r')
            return (unsigned char)*state->at;
    }
    return -1;
}

static bool fail_unexpected(struct state *state, const char *wanted)
{
    int found = look(state);

    if (found < 0)
        return fail(state, "the text ends where %s should be", wanted);
    if (found < 0x20 || found > 0x7e)
        return fail(state, "a byte 0x%02x stands where %s should be", found, wanted);
    return fail(state, "'%c' stands where %s should be", found, wanted);
}

static bool put(struct state *state, size_t *length, unsigned char byte)
{
    if (*length + 1 >= sizeof(state->text))
        return fail(state, "a text is too long (more than %d bytes)", TEXT_BYTES - 1);
    state->text[(*length)++] = (char)byte;
    return true;
}

static bool read_hex4(struct state *state, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, state->at++) {
        int c = state->at < state->end ? *state->at : 0;

        if (c >= '0' && c <= '9')
            *code = *code << 4 | (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            *code = *code << 4 | (uint32_t)((c | 32) - 'a' + 10);
        else
            return fail(state, "\\u needs four hexadecimal digits");
    }
    return true;
}

/* After "\u": RFC 8259 section 7, with surrogate pairs, as UTF-8. */
static bool read_unicode(struct state *state, size_t *length)
{
    uint32_t code, low;

    if (!read_hex4(state, &code))
        return false;
    if (code >= 0xd800 && code < 0xe000) {
        if (code >= 0xdc00 || state->end - state->at < 2 || memcmp(state->at, "\\u", 2) != 0)
            return fail(state, "half of a surrogate pair stands alone");
        state->at += 2;
        if (!read_hex4(state, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(state, "half of a surrogate pair stands alone");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code == 0)
        return fail(state, "a text has a NUL in it");
    if (code < 0x80)
        return put(state, length, (unsigned char)code);
    if (code < 0x800)
        return put(state, length, (unsigned char)(0xc0 | code >> 6)) &&
               put(state, length, (unsigned char)(0x80 | (code & 0x3f)));
    if (code < 0x10000)
        return put(state, length, (unsigned char)(0xe0 | code >> 12)) &&
               put(state, length, (unsigned char)(0x80 | (code >> 6 & 0x3f))) &&
               put(state, length, (unsigned char)(0x80 | (code & 0x3f)));
    return put(state, length, (unsigned char)(0xf0 | code >> 18)) &&
           put(state, length, (unsigned char)(0x80 | (code >> 12 & 0x3f))) &&
           put(state, length, (unsigned char)(0x80 | (code >> 6 & 0x3f))) &&
           put(state, length, (unsigned char)(0x80 | (code & 0x3f)));
}

static bool read_escape(struct state *state, size_t *length)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter;

    if (state->at == state->end)
        return fail(state, "a text is not closed");
    if (*state->at == 'u') {
        state->at++;
        return read_unicode(state, length);
    }
    letter = *state->at ? strchr(letters, *state->at) : NULL;
    if (!letter)
        return fail(state, "a backslash stands before something that cannot be escaped");
    state->at++;
    return put(state, length, (unsigned char)meanings[letter - letters]);
}

/* At the opening quote. Leaves the text in state->text. */
static bool read_string(struct state *state)
{
    size_t length = 0;

    for (state->at++; state->at < state->end && *state->at != '"';) {
        unsigned char byte = (unsigned char)*state->at++;

        if (byte < 0x20)
            return fail(state, "a text has a control character in it, or is not closed");
        if (!(byte == '\\' ? read_escape(state, &length) : put(state, &length, byte)))
            return false;
    }
    if (state->at == state->end)
        return fail(state, "a text is not closed");
    state->at++;
    state->text[length] = '\0';
    return true;
}

static bool skip_digits(struct state *state)
{
    const char *start = state->at;

    while (state->at < state->end && *state->at >= '0' && *state->at <= '9')
        state->at++;
    return state->at > start;
}

static bool skip_one_of(struct state *state, const char *set)
{
    if (state->at == state->end || *state->at == '\0' || !strchr(set, *state->at))
        return false;
    state->at++;
    return true;
}

static bool read_number(struct state *state)
{
    const char *start = state->at;
    size_t length = 0;

    skip_one_of(state, "-");
    /* No leading zeros: 010 would be 8 to some readers and 10 to others. */
    bool good = skip_one_of(state, "0") || skip_digits(state);
    if (good && skip_one_of(state, "."))
        good = skip_digits(state);
    if (good && skip_one_of(state, "eE")) {
        skip_one_of(state, "+-");
        good = skip_digits(state);
    }
    if (!good)
        return fail(state, "a number is not complete");
    while (start < state->at)
        if (!put(state, &length, (unsigned char)*start++))
            return false;
    state->text[length] = '\0';
    return true;
}

static bool read_literal(struct state *state, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(state->end - state->at) < length || memcmp(state->at, word, length) != 0)
        return fail_unexpected(state, "a value");
    state->at += length;
    memcpy(state->text, word, length + 1);
    return true;
}

/* Makes the path longer; the caller puts state->path_length back afterwards. */
static bool enter(struct state *state, const char *format, ...) PRINTF_LIKE(2, 3);
static bool enter(struct state *state, const char *format, ...)
{
    size_t room = sizeof(state->path) - state->path_length;
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(state->path + state->path_length, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room)
        return fail(state, "a name is too long");
    state->path_length += (size_t)length;
    return true;
}

static void leave(struct state *state, size_t path_length)
{
    state->path_length = path_length;
    state->path[path_length] = '\0';
}

static bool read_member(struct state *state)
{
    size_t outside = state->path_length;

    if (look(state) != '"')
        return fail_unexpected(state, "a name in double quotes");
    if (!read_string(state) || !enter(state, "%s%s", outside ? "." : "", state->text))
        return false;
    if (look(state) != ':')
        return fail_unexpected(state, "a colon");
    state->at++;
    if (!read_value(state))
        return false;
    leave(state, outside);
    return true;
}

static bool read_element(struct state *state, unsigned index)
{
    size_t outside = state->path_length;

    if (!enter(state, "[%u]", index) || !read_value(state))
        return false;
    leave(state, outside);
    return true;
}

/* At the opening bracket. */
static bool read_container(struct state *state, char closing)
{
    bool is_object = closing == '}';
    unsigned count = 0;

    state->at++;
    if (++state->depth > DEPTH_MAX)
        return fail(state, "it is nested too deeply");
    if (look(state) == closing) {
        state->at++;
    } else {
        for (;;) {
            if (!(is_object ? read_member(state) : read_element(state, count++)))
                return false;
            int next = look(state);
            if (next != ',' && next != closing)
                return fail_unexpected(state, is_object ? "a comma or }" : "a comma or ]");
            state->at++;
            if (next == closing)
                break;
        }
    }
    state->depth--;
    state->text[0] = '\0';
    return tell(state, is_object ? JSON_OBJECT_END : JSON_ARRAY_END, state->reader->line);
}

static bool read_value(struct state *state)
{
    int first = look(state);
    unsigned line = state->reader->line;

    switch (first) {
    case '{':
        return read_container(state, '}');
    case '[':
        return read_container(state, ']');
    case '"':
        return read_string(state) && tell(state, JSON_STRING, line);
    case 't':
        return read_literal(state, "true") && tell(state, JSON_BOOL, line);
    case 'f':
        return read_literal(state, "false") && tell(state, JSON_BOOL, line);
    case 'n':
        return read_literal(state, "null") && tell(state, JSON_NULL, line);
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        return read_number(state) && tell(state, JSON_NUMBER, line);
    default:
        return fail_unexpected(state, "a value");
    }
}

bool json_read(struct json_reader *reader, const char *text, size_t length)
{
    struct state state = {.reader = reader, .at = text, .end = text + length};

    reader->line = 1;
    reader->problem[0] = '\0';
    if (!read_value(&state))
        return false;
    if (look(&state) >= 0)
        return fail_unexpected(&state, "the end of the text");
    return true;
}
