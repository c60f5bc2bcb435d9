/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings, read once at start: defaults, then the file, then the environment, then the caller;
 * the later wins. Whoever needs a setting gets it as an argument at its own start; nobody reads
 * struct config later. The rows of keys.def are the truth about names, types, limits and defaults.
 *
 * The file is the one that PRONGHORN_CONFIG names, else pronghorn.json in the current directory if
 * there is one. It is JSON; the dots of a key are levels: {"stack": {"cores": "2,3"}}.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "config/value.h"

#define CONFIG_PORTS_MAX 16
#define CONFIG_PORT_LINE_BYTES 768
#define CONFIG_FILE_BYTES 512

/* One line of the setting `port`; see port_keys.def. */
struct port_config {
    char text[CONFIG_PORT_LINE_BYTES]; /* as given, for messages */
    char device[32];                   /* a row of port/vdev.def, or a PCI address */
#define PORT_KEY(name, field, type, default_text, min, max, help) VALUE_FIELD_##type(field);
#include "config/port_keys.def"
};

struct config_ports {
    uint32_t count;
    struct port_config entry[CONFIG_PORTS_MAX];
};
#define VALUE_FIELD_ports(field) struct config_ports field

/* One line of the setting `route`: what it decides, and for which sockets. */
#define CONFIG_ROUTES_MAX 64
#define CONFIG_ROUTE_LINE_BYTES 160
enum route_verdict { ROUTE_KERNEL, ROUTE_OURS, ROUTE_BOTH };
enum route_use { ROUTE_USE_ANY, ROUTE_USE_LISTEN, ROUTE_USE_CONNECT };

struct route_config {
    char text[CONFIG_ROUTE_LINE_BYTES];
    enum route_verdict verdict;
    char process[32];              /* program's name; empty: any */
    int family, type;              /* AF_*, SOCK_*; 0: any */
    enum route_use use;
    struct config_address address; /* family 0: any */
    struct config_range port;      /* last 0: any */
};

struct config_routes {
    uint32_t count;
    struct route_config entry[CONFIG_ROUTES_MAX];
};
#define VALUE_FIELD_routes(field) struct config_routes field

enum config_key {
#define KEY(path, field, type, default_text, min, max, help) CONFIG_KEY_##field,
#include "config/keys.def"
    CONFIG_KEYS
};

enum config_source {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_CALLER,
};

/* About 60 KB: not for the stack of a small thread. Holds no pointers; copying it is enough. */
struct config {
#define KEY(path, field, type, default_text, min, max, help) VALUE_FIELD_##type(field);
#include "config/keys.def"
    struct {
        enum config_source source;
        uint32_t line; /* in the file */
    } origin[CONFIG_KEYS];
    char file[CONFIG_FILE_BYTES]; /* empty: none was read */
};

struct config_setting {
    const char *key;
    const char *value;
};

/*
 * Fills `config`. 0, or -EINVAL (a setting is wrong), -ENOENT, -EACCES, ... (the file); `err` then
 * names the setting, its value, where it came from, and the remedy.
 */
int config_load(struct config *config, const struct config_setting *settings, size_t count,
                char *err, size_t err_size);

/* The defaults alone, for tests and for programs that read neither file nor environment. */
void config_defaults(struct config *config);

/* Sets one value as the caller's: -EINVAL and a message like config_load(). */
int config_set(struct config *config, const char *key, const char *value, char *err,
               size_t err_size);

/* Calls back for each key in the order of keys.def, with "pronghorn.json:3" or so as source. */
void config_dump(const struct config *config,
                 void (*each)(void *context, const char *key, const char *value,
                              const char *source),
                 void *context);

/* Reads one route line. False: `problem` says why. */
bool route_line_parse(const char *line, struct route_config *route, struct value_problem *problem);

/* Reads one port line. False: `problem` says why. */
bool port_line_parse(const char *line, struct port_config *port, struct value_problem *problem);

#endif
