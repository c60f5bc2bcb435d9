/* SPDX-License-Identifier: Apache-2.0 */
#include "console/request.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note_problem(struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note_problem(struct request *request, const char *format, ...)
{
    va_list arguments;

    if (request->problem[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(request->problem, sizeof(request->problem), format, arguments);
    va_end(arguments);
}

void request_parse(struct request *request, char *line)
{
    char *rest = line;

    memset(request, 0, sizeof(*request));
    request->verb = strsep(&rest, "\t");
    while (rest != NULL) {
        char *value = strsep(&rest, "\t"), *name = strsep(&value, "=");

        if (value == NULL || request->count == REQUEST_WORDS_MAX) {
            note_problem(request, "\"%.40s\": give name=value, at most %d of them", name, REQUEST_WORDS_MAX);
            return;
        }
        request->word[request->count].name = name;
        request->word[request->count++].value = value;
    }
}

const char *request_text(struct request *request, const char *name, const char *otherwise)
{
    for (unsigned i = 0; i < request->count; i++) {
        if (strcmp(request->word[i].name, name) == 0) {
            request->word[i].used = true;
            return request->word[i].value;
        }
    }
    return otherwise;
}

uint64_t request_number(struct request *request, const char *name, uint64_t otherwise, uint64_t min, uint64_t max)
{
    const char *text = request_text(request, name, NULL);
    char *end;
    uint64_t value;

    if (text == NULL)
        return otherwise;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || value < min || value > max) {
        note_problem(request, "%s: \"%.40s\" is not a number from %llu to %llu", name, text, (unsigned long long)min,
                     (unsigned long long)max);
        return otherwise;
    }
    return value;
}

bool request_is_sound(struct request *request, struct json_out *answer)
{
    for (unsigned i = 0; i < request->count; i++)
        if (!request->word[i].used)
            note_problem(request, "%.40s knows no \"%.40s\"", request->verb, request->word[i].name);
    if (request->problem[0] == '\0')
        return true;
    answer_error(answer, "%s", request->problem);
    return false;
}

void answer_error(struct json_out *answer, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    json_open(answer, NULL, '{');
    json_string(answer, "error", text);
    json_close(answer, '}');
}

void answer_done(struct json_out *answer)
{
    json_open(answer, NULL, '{');
    json_bool(answer, "done", true);
    json_close(answer, '}');
}
