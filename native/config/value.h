/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types that a setting can have: their C form, their text form, and the way between the two.
 * keys.def and port_keys.def use them by name. No thread rules: nothing is shared.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define VALUE_STRING_BYTES 128
#define VALUE_CORES_MAX 128
#define VALUE_ADDRESSES_MAX 16

enum config_drive { CONFIG_DRIVE_DEDICATED, CONFIG_DRIVE_INLINE };
enum config_idle { CONFIG_IDLE_POLL, CONFIG_IDLE_ADAPTIVE, CONFIG_IDLE_INTERRUPT };
enum config_hugepages { CONFIG_HUGEPAGES_AUTO, CONFIG_HUGEPAGES_ON, CONFIG_HUGEPAGES_OFF };
enum config_congestion { CONFIG_CONGESTION_CUBIC, CONFIG_CONGESTION_RENO };
enum config_fd_numbers { CONFIG_FD_KERNEL, CONFIG_FD_VIRTUAL };
enum config_without_core { CONFIG_WITHOUT_CORE_KERNEL, CONFIG_WITHOUT_CORE_REFUSE };
enum config_flight { CONFIG_FLIGHT_OFF, CONFIG_FLIGHT_EVENTS, CONFIG_FLIGHT_PACKETS };
enum config_trigger {
    CONFIG_TRIGGER_NONE,
    CONFIG_TRIGGER_RETRANSMISSION,
    CONFIG_TRIGGER_RESET,
    CONFIG_TRIGGER_DROP,
    CONFIG_TRIGGER_LATENCY,
    CONFIG_TRIGGER_ANY,
};
enum config_role { CONFIG_ROLE_AUTO, CONFIG_ROLE_SERVER, CONFIG_ROLE_CLIENT };

struct config_range {
    uint32_t first, last;
};

struct config_cores {
    uint32_t count;
    uint32_t core[VALUE_CORES_MAX]; /* in the order given, none twice */
};

struct config_address {
    uint8_t family;      /* AF_INET or AF_INET6 */
    uint8_t prefix_bits; /* of a gateway: 32 or 128 */
    uint8_t bytes[16];   /* network order; IPv4 uses the first 4 */
};

struct config_addresses {
    uint32_t count;
    struct config_address entry[VALUE_ADDRESSES_MAX];
};

struct config_mac {
    bool given;
    uint8_t bytes[6];
};

/* The C declaration of a field of each type. */
#define VALUE_FIELD_bool(field) bool field
#define VALUE_FIELD_u32(field) uint32_t field
#define VALUE_FIELD_u64(field) uint64_t field
#define VALUE_FIELD_string(field) char field[VALUE_STRING_BYTES]
#define VALUE_FIELD_range(field) struct config_range field
#define VALUE_FIELD_cores(field) struct config_cores field
#define VALUE_FIELD_addresses(field) struct config_addresses field
#define VALUE_FIELD_gateways(field) struct config_addresses field
#define VALUE_FIELD_mac(field) struct config_mac field
#define VALUE_FIELD_log_level(field) enum log_level field
#define VALUE_FIELD_log_format(field) enum log_format field
#define VALUE_FIELD_drive(field) enum config_drive field
#define VALUE_FIELD_idle(field) enum config_idle field
#define VALUE_FIELD_hugepages(field) enum config_hugepages field
#define VALUE_FIELD_congestion(field) enum config_congestion field
#define VALUE_FIELD_fd_numbers(field) enum config_fd_numbers field
#define VALUE_FIELD_without_core(field) enum config_without_core field
#define VALUE_FIELD_flight(field) enum config_flight field
#define VALUE_FIELD_trigger(field) enum config_trigger field
#define VALUE_FIELD_role(field) enum config_role field
#define VALUE_FIELD_trace(field) uint32_t field /* bits of base/trace.h */

enum value_type {
    VALUE_bool,
    VALUE_u32,
    VALUE_u64,
    VALUE_string,
    VALUE_range,
    VALUE_cores,
    VALUE_trace,  /* a list of trace points */
    VALUE_ports,  /* config.c: a list of port lines */
    VALUE_routes, /* config.c: a list of route lines */
    VALUE_addresses,
    VALUE_gateways,
    VALUE_mac,
    /* One of the words that keys.def lists for the type. */
    VALUE_log_level,
    VALUE_log_format,
    VALUE_drive,
    VALUE_idle,
    VALUE_hugepages,
    VALUE_congestion,
    VALUE_fd_numbers,
    VALUE_role,
    VALUE_without_core,
    VALUE_flight,
    VALUE_trigger,
};

struct value_rule {
    const char *name;
    enum value_type type;
    const char *default_text;
    int64_t min, max;
};

/* What is wrong with a text and what would be right, for people: "is not a number; give ...". */
struct value_problem {
    char text[320];
};

/*
 * Reads `text` into `field` (of the rule's type). addresses and gateways add to what is there, all
 * others replace it. False: `field` may be half written, and `problem` says why.
 */
bool value_parse(const struct value_rule *rule, const char *text, void *field,
                 struct value_problem *problem);

/* The text that value_parse() would read as `field`; cut when `size` is too small. */
void value_format(const struct value_rule *rule, const void *field, char *text, size_t size);

/* Keeps what looks most like `wanted`, for "did you mean"; start with distance UINT32_MAX. */
struct value_nearest {
    const char *name; /* NULL: nothing comes near */
    uint32_t distance;
};
void value_nearest_try(struct value_nearest *nearest, const char *wanted, const char *candidate);

bool value_fail(struct value_problem *problem, const char *format, ...) PRINTF_LIKE(2, 3);

/* A line (of a port, of a route) without the white space around it; false: there is no room for it in `copy`. */
bool value_trimmed(const char *line, char *copy, size_t size, struct value_problem *problem);

#endif
