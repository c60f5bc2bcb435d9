/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/trace.h"

static const struct {
    enum value_type type;
    int constant;
    const char *text;
} words[] = {
#define WORD(type, constant, text, help) {VALUE_##type, constant, text},
#include "config/keys.def"
};

bool value_fail(struct value_problem *problem, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(problem->text, sizeof(problem->text), format, arguments);
    va_end(arguments);
    return false;
}

bool value_trimmed(const char *line, char *copy, size_t size, struct value_problem *problem)
{
    size_t length;

    while (isspace((unsigned char)*line))
        line++;
    length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    if (length >= size)
        return value_fail(problem, "is too long; give at most %zu characters", size - 1);
    memcpy(copy, line, length);
    copy[length] = '\0';
    return true;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool takes_unit(const struct value_rule *rule)
{
    size_t length = strlen(rule->name);

    return length > 6 && strcmp(rule->name + length - 6, "_bytes") == 0;
}

/* Digits from *text on, which is moved past them; false: none, or more than 64 bits. */
static bool read_digits(const char **text, uint64_t *number)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return false; /* strtoull() would take a sign and spaces */
    errno = 0;
    *number = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

static bool fail_number(const struct value_rule *rule, const char *what,
                        struct value_problem *problem)
{
    return value_fail(problem, "%s; give a whole number from %" PRId64 " to %" PRId64 "%s", what,
                      rule->min, rule->max, takes_unit(rule) ? " (K, M and G may follow)" : "");
}

static bool parse_number(const struct value_rule *rule, const char *text, uint64_t *number,
                         struct value_problem *problem)
{
    uint64_t unit = 1;

    if (!read_digits(&text, number))
        return fail_number(rule, "is not a number", problem);
    if (takes_unit(rule) && *text) {
        switch (toupper((unsigned char)*text)) {
        case 'K': unit = UINT64_C(1) << 10; break;
        case 'M': unit = UINT64_C(1) << 20; break;
        case 'G': unit = UINT64_C(1) << 30; break;
        }
        text += unit != 1;
    }
    if (*text)
        return fail_number(rule, "is not a number", problem);
    if (__builtin_mul_overflow(*number, unit, number) || *number > (uint64_t)rule->max)
        return fail_number(rule, "is too large", problem);
    if (*number < (uint64_t)rule->min)
        return fail_number(rule, "is too small", problem);
    return true;
}

/* "7" or "3-5", at *text. */
static bool read_span(const struct value_rule *rule, const char **text, struct config_range *span)
{
    uint64_t first, last;

    if (!read_digits(text, &first))
        return false;
    last = first;
    if (**text == '-') {
        (*text)++;
        if (!read_digits(text, &last))
            return false;
    }
    if (first < (uint64_t)rule->min || last > (uint64_t)rule->max || first > last)
        return false;
    *span = (struct config_range){(uint32_t)first, (uint32_t)last};
    return true;
}

static bool parse_range(const struct value_rule *rule, const char *text, struct config_range *range,
                        struct value_problem *problem)
{
    if (!read_span(rule, &text, range) || *text)
        return value_fail(problem, "is not a range; give first-last, numbers from %" PRId64
                          " to %" PRId64 ", the smaller first", rule->min, rule->max);
    return true;
}

static bool parse_cores(const struct value_rule *rule, const char *text, struct config_cores *cores,
                        struct value_problem *problem)
{
    struct config_range span;

    cores->count = 0;
    while (*text) {
        /* A plus where commas separate something else: port lines. */
        if (!read_span(rule, &text, &span) || (*text && *text != ',' && *text != '+') ||
            (*text && !text[1]))
            return value_fail(problem, "is not a list; give numbers and ranges from %" PRId64
                              " to %" PRId64 " like 1,3-5 (in a port line 1+3-5)", rule->min,
                              rule->max);
        for (uint32_t core = span.first; core <= span.last; core++) {
            for (uint32_t i = 0; i < cores->count; i++)
                if (cores->core[i] == core)
                    return value_fail(problem, "names %" PRIu32 " twice; give each once", core);
            if (cores->count == VALUE_CORES_MAX)
                return value_fail(problem, "is too long; give at most %d", VALUE_CORES_MAX);
            cores->core[cores->count++] = core;
        }
        text += *text != '\0';
    }
    return true;
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool parse_bool(const char *text, bool *value, struct value_problem *problem)
{
    static const char *const on[] = {"on", "true", "1", "yes"};
    static const char *const off[] = {"off", "false", "0", "no"};

    for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
        if (strcmp(text, on[i]) == 0 || strcmp(text, off[i]) == 0) {
            *value = strcmp(text, on[i]) == 0;
            return true;
        }
    }
    return value_fail(problem, "is neither on nor off; give one of them");
}

static bool parse_word(const struct value_rule *rule, const char *text, int *value,
                       struct value_problem *problem)
{
    char list[160];
    size_t length = 0;

    list[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (words[i].type != rule->type)
            continue;
        if (strcmp(text, words[i].text) == 0) {
            *value = words[i].constant;
            return true;
        }
        length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "",
                                   words[i].text);
    }
    return value_fail(problem, "is not a word known here; give one of: %s", list);
}

static const char *const trace_points[] = {
#define TRACE_POINT(name, word, first, second, help) word,
#include "base/trace.def"
};

static uint32_t trace_bits(const char *name, size_t length)
{
    if (length == 3 && strncmp(name, "all", length) == 0)
        return TRACE_ALL;
    for (unsigned i = 0; i < TRACE_POINTS; i++)
        if (strlen(trace_points[i]) == length && strncmp(name, trace_points[i], length) == 0)
            return UINT32_C(1) << i;
    return 0;
}

static void format_trace(uint32_t bits, char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "%s", bits ? "" : "none");

    for (unsigned i = 0; i < TRACE_POINTS && length < size; i++)
        if (bits & UINT32_C(1) << i)
            length += (size_t)snprintf(text + length, size - length, "%s%s", length ? "," : "", trace_points[i]);
}

/* "state,rto", "all", "none". */
static bool parse_trace(const char *text, uint32_t *bits, struct value_problem *problem)
{
    *bits = 0;
    if (strcmp(text, "none") == 0)
        return true;
    while (*text) {
        size_t length = strcspn(text, ",");
        uint32_t more = trace_bits(text, length);
        char names[200];

        if (more == 0 || (text[length] && !text[length + 1])) {
            format_trace(TRACE_ALL, names, sizeof(names));
            return value_fail(problem, "is no list of trace points; give all, none, or some of: %s", names);
        }
        *bits |= more;
        text += length + (text[length] != '\0');
    }
    return true;
}

static bool parse_string(const struct value_rule *rule, const char *text, char *value,
                         struct value_problem *problem)
{
    if (strlen(text) > (size_t)rule->max)
        return value_fail(problem, "is too long; give at most %" PRId64 " characters", rule->max);
    for (const char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c))
            return value_fail(problem, "has a control character in it; leave it out");
    memset(value, 0, VALUE_STRING_BYTES);
    memcpy(value, text, strlen(text));
    return true;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static bool parse_ip(const char *text, struct config_address *address)
{
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, text, address->bytes) == 1) {
        address->family = AF_INET;
        address->prefix_bits = 32;
        return true;
    }
    if (inet_pton(AF_INET6, text, address->bytes) == 1) {
        address->family = AF_INET6;
        address->prefix_bits = 128;
        return true;
    }
    return false;
}

static bool parse_address(const char *text, struct config_address *address,
                          struct value_problem *problem)
{
    static const uint8_t zero[16];
    const char *slash = strchr(text, '/');
    char ip[INET6_ADDRSTRLEN];
    uint64_t bits;

    if (!slash || (size_t)(slash - text) >= sizeof(ip))
        return value_fail(problem, "has no prefix length; give an address like 10.0.0.2/24 or "
                          "fd00::2/64");
    memcpy(ip, text, (size_t)(slash - text));
    ip[slash - text] = '\0';
    if (!parse_ip(ip, address))
        return value_fail(problem, "is not an IP address; give one like 10.0.0.2/24 or fd00::2/64");
    slash++;
    if (!read_digits(&slash, &bits) || *slash || bits < 1 || bits > address->prefix_bits)
        return value_fail(problem, "has a wrong prefix length; give a number from 1 to %u after /",
                          address->prefix_bits);
    address->prefix_bits = (uint8_t)bits;
    if (memcmp(address->bytes, zero, sizeof(zero)) == 0)
        return value_fail(problem, "is the unspecified address; give the port's own");
    if (address->family == AF_INET ? address->bytes[0] >= 224 || address->bytes[0] == 127
                                   : address->bytes[0] == 0xff)
        return value_fail(problem, "cannot be a port's own address; give a unicast one");
    return true;
}

static bool parse_gateway(const char *text, struct config_address *address,
                          struct value_problem *problem)
{
    if (!parse_ip(text, address))
        return value_fail(problem, "is not an IP address; give one like 10.0.0.1, without a prefix "
                          "length");
    return true;
}

static bool parse_addresses(const struct value_rule *rule, const char *text,
                            struct config_addresses *list, struct value_problem *problem)
{
    struct config_address one;

    if (*text == '\0') { /* the default */
        list->count = 0;
        return true;
    }
    if (!(rule->type == VALUE_gateways ? parse_gateway : parse_address)(text, &one, problem))
        return false;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->entry[i].family == one.family &&
            (rule->type == VALUE_gateways ||
             memcmp(list->entry[i].bytes, one.bytes, sizeof(one.bytes)) == 0))
            return value_fail(problem, "is one too many; give each %s once",
                              rule->type == VALUE_gateways ? "family's gateway" : "address");
    if (list->count == VALUE_ADDRESSES_MAX)
        return value_fail(problem, "is one too many; give at most %d", VALUE_ADDRESSES_MAX);
    list->entry[list->count++] = one;
    return true;
}

static bool parse_mac(const char *text, struct config_mac *mac, struct value_problem *problem)
{
    static const uint8_t zero[6];
    size_t digits = 0;

    memset(mac, 0, sizeof(*mac));
    if (*text == '\0')
        return true;
    for (const char *c = text; *c; c++) {
        if ((c - text) % 3 == 2 ? *c != ':' : !isxdigit((unsigned char)*c))
            break;
        if (*c == ':')
            continue;
        if (digits == 12)
            break;
        mac->bytes[digits / 2] = (uint8_t)(mac->bytes[digits / 2] << 4 |
                                           (isdigit((unsigned char)*c) ? *c - '0'
                                                                       : (*c | 32) - 'a' + 10));
        digits++;
    }
    if (strlen(text) != 17 || digits != 12)
        return value_fail(problem, "is not a MAC address; give one like 02:00:00:00:00:01");
    if (mac->bytes[0] & 1 || memcmp(mac->bytes, zero, 6) == 0)
        return value_fail(problem, "cannot be a port's own MAC address; give one whose first byte "
                          "is even, like 02:00:00:00:00:01");
    mac->given = true;
    return true;
}

/* ---- all types ------------------------------------------------------------------------------- */

bool value_parse(const struct value_rule *rule, const char *text, void *field,
                 struct value_problem *problem)
{
    uint64_t number;

    switch (rule->type) {
    case VALUE_bool:
        return parse_bool(text, field, problem);
    case VALUE_u32:
        if (!parse_number(rule, text, &number, problem))
            return false;
        *(uint32_t *)field = (uint32_t)number;
        return true;
    case VALUE_u64:
        return parse_number(rule, text, field, problem);
    case VALUE_string:
        return parse_string(rule, text, field, problem);
    case VALUE_range:
        return parse_range(rule, text, field, problem);
    case VALUE_cores:
        return parse_cores(rule, text, field, problem);
    case VALUE_trace:
        return parse_trace(text, field, problem);
    case VALUE_addresses:
    case VALUE_gateways:
        return parse_addresses(rule, text, field, problem);
    case VALUE_mac:
        return parse_mac(text, field, problem);
    case VALUE_ports:
    case VALUE_routes:
        break;
    default:
        return parse_word(rule, text, field, problem);
    }
    INVARIANT(!"a list of lines is config.c's");
    return false;
}

static void append(char *text, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
static void append(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + length, size - length, format, arguments);
    va_end(arguments);
}

static void format_addresses(const struct value_rule *rule, const struct config_addresses *list,
                             char *text, size_t size)
{
    char ip[INET6_ADDRSTRLEN];

    for (uint32_t i = 0; i < list->count; i++) {
        inet_ntop(list->entry[i].family, list->entry[i].bytes, ip, sizeof(ip));
        append(text, size, "%s%s", i ? "," : "", ip);
        if (rule->type == VALUE_addresses)
            append(text, size, "/%u", list->entry[i].prefix_bits);
    }
}

void value_format(const struct value_rule *rule, const void *field, char *text, size_t size)
{
    const struct config_range *range = field;
    const struct config_cores *cores = field;
    const struct config_mac *mac = field;

    text[0] = '\0';
    switch (rule->type) {
    case VALUE_bool:
        append(text, size, "%s", *(const bool *)field ? "on" : "off");
        break;
    case VALUE_u32:
        append(text, size, "%" PRIu32, *(const uint32_t *)field);
        break;
    case VALUE_u64:
        append(text, size, "%" PRIu64, *(const uint64_t *)field);
        break;
    case VALUE_string:
        append(text, size, "%s", (const char *)field);
        break;
    case VALUE_range:
        append(text, size, "%" PRIu32 "-%" PRIu32, range->first, range->last);
        break;
    case VALUE_cores:
        for (uint32_t i = 0; i < cores->count; i++)
            append(text, size, "%s%" PRIu32, i ? "," : "", cores->core[i]);
        break;
    case VALUE_trace:
        format_trace(*(const uint32_t *)field, text, size);
        break;
    case VALUE_addresses:
    case VALUE_gateways:
        format_addresses(rule, field, text, size);
        break;
    case VALUE_mac:
        for (int i = 0; mac->given && i < 6; i++)
            append(text, size, "%s%02x", i ? ":" : "", mac->bytes[i]);
        break;
    case VALUE_ports:
    case VALUE_routes:
        INVARIANT(!"a list of lines is config.c's");
        break;
    default:
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
            if (words[i].type == rule->type && words[i].constant == *(const int *)field)
                append(text, size, "%s", words[i].text);
    }
}
