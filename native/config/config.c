/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "config/apply.h"

#define DEFAULT_FILE "pronghorn.json"
#define VARIABLE_BYTES 64

static const struct {
    struct value_rule rule;
    size_t offset;
} keys[CONFIG_KEYS] = {
#define KEY(path, field, type, default_text, min, max, help) \
    [CONFIG_KEY_##field] = {{path, VALUE_##type, default_text, min, max}, \
                            offsetof(struct config, field)},
#include "config/keys.def"
};

static const char *const other_variables[] = {
#define ENVIRONMENT(prefix, help) prefix,
#include "config/keys.def"
};

const struct value_rule *config_rule(enum config_key key) { return &keys[key].rule; }

/* ---- names and complaints -------------------------------------------------------------------- */

/* "stack.cores" is PRONGHORN_STACK_CORES. */
static void variable_name(enum config_key key, char name[VARIABLE_BYTES])
{
    size_t length = (size_t)snprintf(name, VARIABLE_BYTES, "PRONGHORN_%s", keys[key].rule.name);

    INVARIANT(length < VARIABLE_BYTES);
    for (size_t i = 0; i < length; i++)
        name[i] = name[i] == '.' ? '_' : (char)toupper((unsigned char)name[i]);
}

static void source_text(const struct config_input *input, char *text, size_t size)
{
    switch (input->source) {
    case CONFIG_FROM_DEFAULT:
        snprintf(text, size, "default");
        break;
    case CONFIG_FROM_FILE:
        snprintf(text, size, "%s:%" PRIu32, input->config->file, input->line);
        break;
    case CONFIG_FROM_ENVIRONMENT:
        snprintf(text, size, "%s", input->variable);
        break;
    case CONFIG_FROM_CALLER:
        snprintf(text, size, "caller");
        break;
    }
}

int config_complain(const struct config_input *input, const char *key, const char *format, ...)
{
    char problem[512], source[CONFIG_FILE_BYTES + 16];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(problem, sizeof(problem), format, arguments);
    va_end(arguments);
    source_text(input, source, sizeof(source));
    snprintf(input->err, input->err_size, "%s: %s (set in: %s)", key, problem, source);
    return -EINVAL;
}

enum config_key config_find(const struct config_input *input, const char *name)
{
    struct value_nearest nearest = {NULL, UINT32_MAX};

    for (enum config_key key = 0; key < CONFIG_KEYS; key++) {
        if (strcmp(name, keys[key].rule.name) == 0)
            return key;
        value_nearest_try(&nearest, name, keys[key].rule.name);
    }
    if (nearest.name)
        config_complain(input, name, "there is no such setting; did you mean %s?", nearest.name);
    else
        config_complain(input, name, "there is no such setting; docs/configuration.md lists them");
    return CONFIG_KEYS;
}

/* ---- one value ------------------------------------------------------------------------------- */

static int apply_ports(const struct config_input *input, const char *text)
{
    struct config_ports *ports = &input->config->port;
    struct value_problem problem;
    char line[CONFIG_PORT_LINE_BYTES];

    ports->count = 0;
    for (size_t length; *text; text += length + (text[length] != '\0')) {
        length = strcspn(text, ";\n");
        if (strspn(text, " \t\r") >= length)
            continue;
        if (length >= sizeof(line))
            return config_complain(input, "port", "\"%.60s...\" is too long; give at most %zu "
                                   "characters a line", text, sizeof(line) - 1);
        memcpy(line, text, length);
        line[length] = '\0';
        if (ports->count == CONFIG_PORTS_MAX)
            return config_complain(input, "port", "\"%.100s\" is one too many; give at most %d",
                                   line, CONFIG_PORTS_MAX);
        if (!port_line_parse(line, &ports->entry[ports->count], &problem))
            return config_complain(input, "port", "\"%.100s\" %s", line, problem.text);
        ports->count++;
    }
    return 0;
}

static int apply_routes(const struct config_input *input, const char *text)
{
    struct config_routes *routes = &input->config->route;
    char line[CONFIG_ROUTE_LINE_BYTES];
    struct value_problem problem;

    routes->count = 0;
    for (size_t length; *text; text += length + (text[length] != '\0')) {
        length = strcspn(text, ";\n");
        if (strspn(text, " \t\r") >= length)
            continue;
        if (length >= sizeof(line))
            return config_complain(input, "route", "\"%.60s...\" is too long; give at most %zu "
                                   "characters a line", text, sizeof(line) - 1);
        memcpy(line, text, length);
        line[length] = '\0';
        if (routes->count == CONFIG_ROUTES_MAX)
            return config_complain(input, "route", "\"%.100s\" is one too many; give at most %d",
                                   line, CONFIG_ROUTES_MAX);
        if (!route_line_parse(line, &routes->entry[routes->count], &problem))
            return config_complain(input, "route", "\"%.100s\" %s", line, problem.text);
        routes->count++;
    }
    return 0;
}

int config_apply(const struct config_input *input, enum config_key key, const char *text)
{
    const struct value_rule *rule = &keys[key].rule;
    struct value_problem problem;

    if (input->source == CONFIG_FROM_FILE &&
        input->config->origin[key].source == CONFIG_FROM_FILE)
        return config_complain(input, rule->name, "it is set twice, first on line %" PRIu32
                               "; take one away", input->config->origin[key].line);
    input->config->origin[key].source = input->source;
    input->config->origin[key].line = input->line;
    if (rule->type == VALUE_ports)
        return apply_ports(input, text);
    if (rule->type == VALUE_routes)
        return apply_routes(input, text);
    if (!value_parse(rule, text, (char *)input->config + keys[key].offset, &problem))
        return config_complain(input, rule->name, "\"%.100s\" %s", text, problem.text);
    return 0;
}

/* ---- sources --------------------------------------------------------------------------------- */

void config_defaults(struct config *config)
{
    char err[256] = "";
    const struct config_input input = {
        .config = config, .source = CONFIG_FROM_DEFAULT, .err = err, .err_size = sizeof(err)};

    memset(config, 0, sizeof(*config));
    for (enum config_key key = 0; key < CONFIG_KEYS; key++) {
        int result = config_apply(&input, key, keys[key].rule.default_text);
        INVARIANT(result == 0);
        (void)result;
    }
}

static int load_variable(struct config_input *input, const char *name, const char *value)
{
    struct value_nearest nearest = {NULL, UINT32_MAX};
    char names[CONFIG_KEYS][VARIABLE_BYTES];

    for (size_t i = 0; i < ARRAY_SIZE(other_variables); i++)
        if (strncmp(name, other_variables[i], strlen(other_variables[i])) == 0)
            return 0;
    input->variable = name;
    for (enum config_key key = 0; key < CONFIG_KEYS; key++) {
        variable_name(key, names[key]);
        if (strcmp(name, names[key]) == 0)
            return config_apply(input, key, value);
        value_nearest_try(&nearest, name, names[key]);
    }
    if (nearest.name)
        return config_complain(input, name, "there is no such setting; did you mean %s?",
                               nearest.name);
    return config_complain(input, name,
                           "there is no such setting; docs/configuration.md lists them");
}

static int load_environment(struct config *config, char *err, size_t err_size)
{
    struct config_input input = {
        .config = config, .source = CONFIG_FROM_ENVIRONMENT, .err = err, .err_size = err_size};

    for (char **entry = environ; entry && *entry; entry++) {
        char name[128];
        const char *equals = strchr(*entry, '=');

        if (strncmp(*entry, "PRONGHORN_", 10) != 0 || !equals)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(equals - *entry), *entry);
        int result = load_variable(&input, name, equals + 1);
        if (result < 0)
            return result;
    }
    return 0;
}

int config_set(struct config *config, const char *key, const char *value, char *err,
               size_t err_size)
{
    const struct config_input input = {
        .config = config, .source = CONFIG_FROM_CALLER, .err = err, .err_size = err_size};
    enum config_key found = config_find(&input, key);

    return found == CONFIG_KEYS ? -EINVAL : config_apply(&input, found, value);
}

/* ---- what must fit together ------------------------------------------------------------------ */

static int complain_about(const struct config *config, enum config_key key, const char *remedy,
                          char *err, size_t err_size)
{
    char value[VALUE_STRING_BYTES], variable[VARIABLE_BYTES];
    const struct config_input input = {
        .config = (struct config *)config, .source = config->origin[key].source,
        .line = config->origin[key].line, .variable = variable, .err = err, .err_size = err_size};

    variable_name(key, variable);
    value_format(&keys[key].rule, (const char *)config + keys[key].offset, value, sizeof(value));
    return config_complain(&input, keys[key].rule.name, "\"%s\" %s", value, remedy);
}

static int check_together(const struct config *config, char *err, size_t err_size)
{
    if (config->tcp_send_buffer_default_bytes < config->tcp_send_buffer_min_bytes ||
        config->tcp_send_buffer_default_bytes > config->tcp_send_buffer_max_bytes)
        return complain_about(config, CONFIG_KEY_tcp_send_buffer_default_bytes,
                              "is not between tcp.send_buffer_min_bytes and "
                              "tcp.send_buffer_max_bytes; change one of the three", err, err_size);
    if (config->tcp_receive_buffer_default_bytes < config->tcp_receive_buffer_min_bytes ||
        config->tcp_receive_buffer_default_bytes > config->tcp_receive_buffer_max_bytes)
        return complain_about(config, CONFIG_KEY_tcp_receive_buffer_default_bytes,
                              "is not between tcp.receive_buffer_min_bytes and "
                              "tcp.receive_buffer_max_bytes; change one of the three", err,
                              err_size);

    uint32_t stacks = config->stack_count;
    for (uint32_t i = 0; i < config->port.count; i++) {
        const struct config_cores *used = &config->port.entry[i].stacks;
        for (uint32_t j = 0; j < used->count; j++) {
            if (used->core[j] < stacks)
                continue;
            snprintf(err, err_size, "port: \"%.200s\" names stack %" PRIu32 ", but there %s only %"
                     PRIu32 " (counted from 0); correct it, or raise stack.count",
                     config->port.entry[i].text, used->core[j], stacks == 1 ? "is" : "are", stacks);
            return -EINVAL;
        }
    }
    return 0;
}

/* Without a port the process talks to itself: two stacks joined by a wire. */
static const char *const embedded_ports[] = {
    "wire,address=10.0.0.1/24,address=fd00::1/64,stacks=0",
    "wire,address=10.0.0.2/24,address=fd00::2/64,stacks=1",
};

/* What follows from the settings when they are not given. */
static void complete(struct config *config)
{
    struct value_problem problem;

    config->stack_count = max_u32(config->stack_count, max_u32(1, config->stack_cores.count));
    if (config->port.count > 0)
        return;
    for (uint32_t i = 0; i < ARRAY_SIZE(embedded_ports); i++) {
        bool read = port_line_parse(embedded_ports[i], &config->port.entry[i], &problem);
        INVARIANT(read);
        (void)read;
    }
    config->port.count = ARRAY_SIZE(embedded_ports);
    config->stack_count = max_u32(config->stack_count, config->port.count);
}

int config_load(struct config *config, const struct config_setting *settings, size_t count,
                char *err, size_t err_size)
{
    const char *file = getenv("PRONGHORN_CONFIG");
    bool named = file && *file;
    int result;

    config_defaults(config);
    result = config_file_load(config, named ? file : DEFAULT_FILE, named, err, err_size);
    if (result < 0)
        return result;
    result = load_environment(config, err, err_size);
    if (result < 0)
        return result;
    for (size_t i = 0; i < count; i++) {
        result = config_set(config, settings[i].key, settings[i].value, err, err_size);
        if (result < 0)
            return result;
    }
    complete(config);
    return check_together(config, err, err_size);
}

void config_dump(const struct config *config,
                 void (*each)(void *context, const char *key, const char *value,
                              const char *source),
                 void *context)
{
    char value[CONFIG_PORTS_MAX * CONFIG_PORT_LINE_BYTES];
    char source[CONFIG_FILE_BYTES + 16], variable[VARIABLE_BYTES];

    for (enum config_key key = 0; key < CONFIG_KEYS; key++) {
        const struct config_input input = {
            .config = (struct config *)config, .source = config->origin[key].source,
            .line = config->origin[key].line, .variable = variable};

        if (keys[key].rule.type == VALUE_ports) {
            size_t length = 0;

            value[0] = '\0';
            for (uint32_t i = 0; i < config->port.count; i++)
                length += (size_t)snprintf(value + length, sizeof(value) - length, "%s%s",
                                           i ? ";" : "", config->port.entry[i].text);
        } else if (keys[key].rule.type == VALUE_routes) {
            size_t length = 0;

            value[0] = '\0';
            for (uint32_t i = 0; i < config->route.count; i++)
                length += (size_t)snprintf(value + length, sizeof(value) - length, "%s%s",
                                           i ? ";" : "", config->route.entry[i].text);
        } else {
            value_format(&keys[key].rule, (const char *)config + keys[key].offset, value,
                         sizeof(value));
        }
        variable_name(key, variable);
        source_text(&input, source, sizeof(source));
        each(context, keys[key].rule.name, value, source);
    }
}
