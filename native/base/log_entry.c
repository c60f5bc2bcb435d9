/* SPDX-License-Identifier: Apache-2.0 */
/* A message as a line of JSON. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/log.h"

#define DAY_S 86400

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* (gmtime_r() takes a lock of libc's, which may be held for ever in a forked child.) */
static void iso_time(uint64_t time_ns, char *out, size_t out_size)
{
    static const unsigned char month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    uint64_t seconds = time_ns / 1000000000;
    unsigned day = (unsigned)(seconds / DAY_S), second = (unsigned)(seconds % DAY_S), year = 1970, month = 0, days;

    for (; day >= 365u + is_leap(year); year++)
        day -= 365u + is_leap(year);
    while (day >= (days = month_days[month] + (month == 1 && is_leap(year)))) {
        day -= days;
        month++;
    }
    snprintf(out, out_size, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", year, month + 1, day + 1, second / 3600,
             second / 60 % 60, second % 60, (unsigned)(time_ns % 1000000000 / 1000));
}

void log_entry_json(struct json_out *json, const struct log_entry *entry)
{
    const char *end = strncmp(entry->text, "port ", 5) == 0 ? strstr(entry->text, ": ") : NULL;
    unsigned named;
    char text[80];

    json_open(json, NULL, '{');
    json_number(json, "sequence", entry->sequence);
    iso_time(entry->time_ns, text, sizeof(text));
    json_string(json, "time", text);
    json_string(json, "level", log_level_name(entry->level));
    json_string(json, "message", entry->text);
    json_number(json, "pid", (uint64_t)getpid());
    if (sscanf(entry->text, "stack %u: ", &named) == 1)
        json_number(json, "stack", named);
    else if (entry->stack >= 0)
        json_number(json, "stack", (uint64_t)entry->stack);
    if (end != NULL && end - entry->text - 5 < (ptrdiff_t)sizeof(text)) {
        snprintf(text, sizeof(text), "%.*s", (int)(end - entry->text - 5), entry->text + 5);
        json_string(json, "port", text);
    }
    json_close(json, '}');
    json_line(json);
}
