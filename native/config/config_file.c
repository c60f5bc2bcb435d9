/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file. JSON values arrive one by one with their path; a plain value is a
 * setting, a list or the objects of `port` are put together into the text form that all sources
 * share, so that there is one parser for each type.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "config/apply.h"
#include "config/json.h"

#define FILE_BYTES_MAX (1u << 20)

struct file_state {
    struct config_input input;
    int result;
    char list[CONFIG_PORTS_MAX * CONFIG_PORT_LINE_BYTES]; /* the list being read, as text */
    char device[64];                                      /* the port object being read */
    char pairs[CONFIG_PORT_LINE_BYTES];                   /* and its ",name=value"s */
};

static bool stop(struct file_state *state, int result)
{
    state->result = result;
    return result == 0;
}

/* Ends the reading with a complaint about `key`. */
static bool fail(struct file_state *state, const char *key, const char *format, ...)
    PRINTF_LIKE(3, 4);
static bool fail(struct file_state *state, const char *key, const char *format, ...)
{
    char problem[320];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(problem, sizeof(problem), format, arguments);
    va_end(arguments);
    return stop(state, config_complain(&state->input, key, "%s", problem));
}

/* False: it does not fit. */
static bool append(char *text, size_t size, const char *separator, const char *more)
{
    size_t length = strlen(text);

    if (length + strlen(separator) + strlen(more) >= size)
        return false;
    snprintf(text + length, size - length, "%s%s", separator, more);
    return true;
}

static bool is_list(enum config_key key)
{
    enum value_type type = config_rule(key)->type;

    return type == VALUE_cores || type == VALUE_trace || type == VALUE_ports || type == VALUE_routes;
}

/* An element of a list: "stack.cores[0]", "port[1]". */
static bool list_element(struct file_state *state, enum config_key key, const char *text)
{
    enum value_type type = config_rule(key)->type;
    bool is_line = type != VALUE_cores && type != VALUE_trace;

    if (is_line && strpbrk(text, ";\n"))
        return fail(state, config_rule(key)->name,
                    "\"%.100s\" has a semicolon or a line end in it; make two list entries of it",
                    text);
    const char *separator = state->list[0] == '\0' ? "" : is_line ? ";" : ",";
    if (!append(state->list, sizeof(state->list), separator, text))
        return fail(state, config_rule(key)->name, "the list is too long; make it shorter");
    return true;
}

/*
 * A member of a port object: "port[0].iface", or an element of one: "port[0].address[1]". Of a
 * list, addresses and gateways are told one by one, the elements of others are joined by +.
 */
static bool port_member(struct file_state *state, const char *member, const char *text)
{
    char name[64];
    size_t length = strcspn(member, "[");
    bool is_next = member[length] == '[' && strcmp(member + length, "[0]") != 0;

    snprintf(name, sizeof(name), "%.*s", (int)min_size(length, sizeof(name) - 1), member);
    if (strpbrk(text, ",;\n"))
        return fail(state, "port",
                    "\"%.100s\" (%s) has a comma, a semicolon or a line end in it; leave it out",
                    text, name);
    if (strcmp(name, "device") == 0) {
        state->device[0] = '\0';
        if (!append(state->device, sizeof(state->device), "", text))
            return fail(state, "port", "\"%.100s\" is no device name", text);
        return true;
    }
    if (is_next && strcmp(name, "address") != 0 && strcmp(name, "gateway") != 0) {
        if (append(state->pairs, sizeof(state->pairs), "+", text))
            return true;
    } else if (append(state->pairs, sizeof(state->pairs), ",", name) &&
               append(state->pairs, sizeof(state->pairs), "=", text)) {
        return true;
    }
    return fail(state, "port", "an entry is too long; make it shorter");
}

static bool port_object_end(struct file_state *state)
{
    char line[sizeof(state->device) + sizeof(state->pairs)];

    if (state->device[0] == '\0')
        return fail(state, "port", "an entry has no device; add \"device\": \"...\" to it");
    snprintf(line, sizeof(line), "%s%s", state->device, state->pairs);
    state->device[0] = '\0';
    state->pairs[0] = '\0';
    return list_element(state, CONFIG_KEY_port, line);
}

/* What lies in a list: path is "key[index]rest". */
static bool inside_list(struct file_state *state, const struct json_value *value,
                        size_t name_length)
{
    const char *rest = strchr(value->path + name_length, ']') + 1;
    bool is_leaf = value->kind != JSON_OBJECT_END && value->kind != JSON_ARRAY_END;
    char name[64];
    enum config_key key;

    snprintf(name, sizeof(name), "%.*s", (int)min_size(name_length, sizeof(name) - 1), value->path);
    key = config_find(&state->input, name);
    if (key == CONFIG_KEYS)
        return stop(state, -EINVAL);
    if (!is_list(key))
        return fail(state, name, "it is a list; give one value");
    if (value->kind == JSON_NULL)
        return fail(state, name, "there is null in its list; leave it out");
    if (*rest == '\0' && is_leaf)
        return list_element(state, key, value->text);
    if (key == CONFIG_KEY_port && *rest == '\0' && value->kind == JSON_OBJECT_END)
        return port_object_end(state);
    if (key == CONFIG_KEY_port && *rest == '.' && !strchr(rest + 1, '.')) {
        const char *index = strchr(rest, '[');
        bool is_flat = !index || !strchr(index + 1, '[');
        if (is_flat && is_leaf)
            return port_member(state, rest + 1, value->text);
        if (is_flat && value->kind == JSON_ARRAY_END && !index)
            return true;
    }
    return fail(state, name, "it is nested too deeply at %.80s; give a list of %s", value->path,
                key == CONFIG_KEY_port ? "lines or objects" : key == CONFIG_KEY_route ? "lines" : "numbers");
}

/* An object that is no group of settings ("stack") is a misspelling, even when it is empty. */
static bool group_end(struct file_state *state, const char *path)
{
    size_t length = strlen(path);

    for (enum config_key key = 0; key < CONFIG_KEYS; key++) {
        const char *name = config_rule(key)->name;
        if (length == 0 || (strncmp(name, path, length) == 0 && name[length] == '.'))
            return true;
        if (strcmp(name, path) == 0)
            return fail(state, path, "it is an object; give %s",
                        is_list(key) ? "a list" : "one value");
    }
    config_find(&state->input, path);
    return stop(state, -EINVAL);
}

static bool on_value(void *context, const struct json_value *value)
{
    struct file_state *state = context;
    size_t name_length = strcspn(value->path, "[");
    enum config_key key;

    state->input.line = value->line;
    if (strcmp(value->path, "$schema") == 0) /* for editors */
        return true;
    if (value->path[0] == '\0' && value->kind != JSON_OBJECT_END)
        return fail(state, "the file", "it is not an object; begin it with { and end it with }");
    if (value->path[name_length] == '[')
        return inside_list(state, value, name_length);
    if (value->kind == JSON_OBJECT_END)
        return group_end(state, value->path);
    key = config_find(&state->input, value->path);
    if (key == CONFIG_KEYS)
        return stop(state, -EINVAL);
    if (value->kind == JSON_NULL) /* as if it were not there */
        return true;
    if (value->kind == JSON_ARRAY_END) {
        if (!is_list(key))
            return fail(state, value->path, "it is a list; give one value");
        int result = config_apply(&state->input, key, state->list);
        state->list[0] = '\0';
        return stop(state, result);
    }
    return stop(state, config_apply(&state->input, key, value->text));
}

static int read_whole(const char *path, char **text, size_t *length)
{
    FILE *file = fopen(path, "re");
    int result = 0;

    if (!file)
        return -errno;
    *text = malloc(FILE_BYTES_MAX);
    if (!*text) {
        result = -ENOMEM;
        goto close;
    }
    *length = fread(*text, 1, FILE_BYTES_MAX, file);
    if (ferror(file))
        result = -errno;
    else if (*length == FILE_BYTES_MAX)
        result = -EFBIG;
    if (result < 0)
        free(*text);
close:
    fclose(file);
    return result;
}

int config_file_load(struct config *config, const char *path, bool required, char *err,
                     size_t err_size)
{
    struct json_reader reader = {.value = on_value};
    struct file_state *state;
    char *text = NULL;
    size_t length = 0;
    int result;

    if (strlen(path) >= sizeof(config->file)) {
        snprintf(err, err_size, "%.60s...: the file name is too long; give a shorter one", path);
        return -ENAMETOOLONG;
    }
    result = read_whole(path, &text, &length);
    if (result == -ENOENT && !required)
        return 0;
    if (result < 0) {
        snprintf(err, err_size, "%s: the configuration file cannot be read: %s; correct %s", path,
                 strerror(-result), required ? "PRONGHORN_CONFIG" : "the file");
        return result;
    }
    state = calloc(1, sizeof(*state));
    if (!state) {
        result = -ENOMEM;
        goto free_text;
    }
    memcpy(config->file, path, strlen(path) + 1);
    state->input = (struct config_input){
        .config = config, .source = CONFIG_FROM_FILE, .err = err, .err_size = err_size};
    reader.context = state;
    if (!json_read(&reader, text, length)) {
        result = state->result;
        if (reader.problem[0]) {
            snprintf(err, err_size, "%s:%u: %s; correct the JSON there", path, reader.line,
                     reader.problem);
            result = -EINVAL;
        }
    }
    free(state);
free_text:
    free(text);
    return result;
}
