/* SPDX-License-Identifier: Apache-2.0 */
/* Between config.c and config_file.c: one value from one source. */
#ifndef CONFIG_APPLY_H
#define CONFIG_APPLY_H

#include "config/config.h"

/* Where a value comes from, and where complaints about it go. */
struct config_input {
    struct config *config;
    enum config_source source;
    uint32_t line;
    const char *variable; /* the environment's name of it */
    char *err;
    size_t err_size;
};

const struct value_rule *config_rule(enum config_key key);

/* CONFIG_KEYS: there is none; err says so and names the nearest. */
enum config_key config_find(const struct config_input *input, const char *name);

/* 0, or -EINVAL and err. */
int config_apply(const struct config_input *input, enum config_key key, const char *text);

/* err = "<key>: <problem> (set by ...)"; returns -EINVAL. */
int config_complain(const struct config_input *input, const char *key, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Reads the file `path`. -ENOENT without a complaint if there is none and it is not `required`. */
int config_file_load(struct config *config, const char *path, bool required, char *err,
                     size_t err_size);

#endif
