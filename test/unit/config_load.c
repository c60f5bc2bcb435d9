/* SPDX-License-Identifier: Apache-2.0 */
/* Where settings come from, which source wins, and what is said about a wrong one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "config/config.h"
#include "main.h"

static struct config config;
static char err[1024];

static const struct {
    const char *path;
    enum value_type type;
    int64_t min, max;
} rows[] = {
#define KEY(path, field, type, default_text, min, max, help) {path, VALUE_##type, min, max},
#include "config/keys.def"
};

/* Each test is a process of its own (Check forks), so directory and environment need no clean-up. */
static char directory[] = "/tmp/pronghorn-config-XXXXXX";

static void set_up(void)
{
    strcpy(directory + sizeof(directory) - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    memset(err, 0, sizeof(err));
}

static void tear_down(void)
{
    unlink("pronghorn.json");
    unlink("other.json");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static int load(const char *key, const char *value)
{
    const struct config_setting setting = {key, value};

    err[0] = '\0';
    return config_load(&config, &setting, key ? 1 : 0, err, sizeof(err));
}

static void expect_error(int result, const char *part)
{
    ck_assert_int_eq(result, -EINVAL);
    ck_assert_msg(strstr(err, part) != NULL, "\"%s\" is not in \"%s\"", part, err);
}

START_TEST(defaults_load)
{
    ck_assert_msg(load(NULL, NULL) == 0, "%s", err);
    ck_assert_uint_eq(config.stack_spin_us, 20);
    ck_assert_uint_eq(config.stack_cores.count, 0);
    ck_assert_int_eq(config.stack_drive, CONFIG_DRIVE_DEDICATED);
    ck_assert_int_eq(config.stack_idle, CONFIG_IDLE_ADAPTIVE);
    ck_assert_uint_eq(config.tcp_send_buffer_default_bytes, 256 << 10);
    ck_assert_uint_eq(config.tcp_receive_buffer_max_bytes, 4 << 20);
    ck_assert_uint_eq(config.tcp_local_ports.first, 32768);
    ck_assert_uint_eq(config.tcp_local_ports.last, 60999);
    ck_assert(config.tcp_nodelay);
    ck_assert_str_eq(config.file, "");
}
END_TEST

/* Without a port there are two stacks, joined by a wire. */
START_TEST(embedded_by_default)
{
    ck_assert_msg(load(NULL, NULL) == 0, "%s", err);
    ck_assert_uint_eq(config.stack_count, 2);
    ck_assert_uint_eq(config.port.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_str_eq(config.port.entry[i].device, "wire");
        ck_assert_uint_eq(config.port.entry[i].stacks.core[0], i);
        ck_assert_uint_eq(config.port.entry[i].addresses.count, 2);
    }
    ck_assert_msg(load("stack.count", "4") == 0, "%s", err);
    ck_assert_uint_eq(config.stack_count, 4);
}
END_TEST

START_TEST(count_follows_cores)
{
    ck_assert_msg(load("port", "null") == 0, "%s", err);
    ck_assert_uint_eq(config.stack_count, 1);
    setenv("PRONGHORN_STACK_CORES", "0-2", 1);
    ck_assert_msg(load("port", "null") == 0, "%s", err);
    ck_assert_uint_eq(config.stack_count, 3);
    setenv("PRONGHORN_STACK_COUNT", "2", 1);
    ck_assert_msg(load("port", "null") == 0, "%s", err);
    ck_assert_uint_eq(config.stack_count, 3);
    setenv("PRONGHORN_STACK_COUNT", "5", 1);
    ck_assert_msg(load("port", "null,stacks=4") == 0, "%s", err);
    ck_assert_uint_eq(config.stack_count, 5);
}
END_TEST

START_TEST(later_sources_win)
{
    ck_assert_int_eq(load(NULL, NULL), 0);
    ck_assert_int_eq(config.origin[CONFIG_KEY_stack_spin_us].source, CONFIG_FROM_DEFAULT);

    write_file("pronghorn.json", "{\n \"stack\": {\n  \"spin_us\": 31 } }\n");
    ck_assert_msg(load(NULL, NULL) == 0, "%s", err);
    ck_assert_uint_eq(config.stack_spin_us, 31);
    ck_assert_int_eq(config.origin[CONFIG_KEY_stack_spin_us].source, CONFIG_FROM_FILE);
    ck_assert_uint_eq(config.origin[CONFIG_KEY_stack_spin_us].line, 3);
    ck_assert_str_eq(config.file, "pronghorn.json");

    write_file("other.json", "{\"stack.spin_us\": \"32\"}");
    setenv("PRONGHORN_CONFIG", "other.json", 1);
    ck_assert_msg(load(NULL, NULL) == 0, "%s", err);
    ck_assert_uint_eq(config.stack_spin_us, 32);

    setenv("PRONGHORN_STACK_SPIN_US", "33", 1);
    ck_assert_msg(load(NULL, NULL) == 0, "%s", err);
    ck_assert_uint_eq(config.stack_spin_us, 33);
    ck_assert_int_eq(config.origin[CONFIG_KEY_stack_spin_us].source, CONFIG_FROM_ENVIRONMENT);

    ck_assert_msg(load("stack.spin_us", "34") == 0, "%s", err);
    ck_assert_uint_eq(config.stack_spin_us, 34);
    ck_assert_int_eq(config.origin[CONFIG_KEY_stack_spin_us].source, CONFIG_FROM_CALLER);
}
END_TEST

START_TEST(named_file_must_exist)
{
    setenv("PRONGHORN_CONFIG", "/nowhere/at/all.json", 1);
    ck_assert_int_eq(load(NULL, NULL), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err, "/nowhere/at/all.json"));
    ck_assert_ptr_nonnull(strstr(err, "PRONGHORN_CONFIG"));
}
END_TEST

START_TEST(other_variables_are_left_alone)
{
    setenv("PRONGHORN_TEST_ANYTHING", "1", 1);
    setenv("PRONGHORN", "1", 1);
    ck_assert_msg(load(NULL, NULL) == 0, "%s", err);
}
END_TEST

/* A value that no row of the type accepts. */
static const char *bad_value(size_t row)
{
    static char text[256];

    switch (rows[row].type) {
    case VALUE_string:
        memset(text, 'x', sizeof(text) - 1);
        return text;
    case VALUE_ports:
        return "af_packet,iface";
    default:
        return "!";
    }
}

/* Each key wrong once, from each source: the message names key, value, source, and a remedy. */
START_TEST(each_key_wrong_once)
{
    const char *key = rows[_i].path, *value = bad_value((size_t)_i);
    char variable[64], text[512], shown[64];

    snprintf(shown, sizeof(shown), "%.32s", value);

    expect_error(load(key, value), key);
    expect_error(-EINVAL, shown);
    expect_error(-EINVAL, "; ");
    expect_error(-EINVAL, "(set in: caller)");

    snprintf(variable, sizeof(variable), "PRONGHORN_%s", key);
    for (char *c = variable; *c; c++)
        *c = *c == '.' ? '_' : (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    setenv(variable, value, 1);
    expect_error(load(NULL, NULL), key);
    expect_error(-EINVAL, variable);
    unsetenv(variable);

    snprintf(text, sizeof(text), "{\n\n\"%s\": \"%s\"}", key, value);
    write_file("pronghorn.json", text);
    expect_error(load(NULL, NULL), key);
    expect_error(-EINVAL, "pronghorn.json:3");
}
END_TEST

/* The limits themselves are right, one beyond is wrong. */
START_TEST(each_number_at_its_limits)
{
    char text[32];

    if (rows[_i].type != VALUE_u32 && rows[_i].type != VALUE_u64)
        return;
    config_defaults(&config);
    snprintf(text, sizeof(text), "%lld", (long long)rows[_i].max);
    ck_assert_int_eq(config_set(&config, rows[_i].path, text, err, sizeof(err)), 0);
    snprintf(text, sizeof(text), "%lld", (long long)rows[_i].min);
    ck_assert_int_eq(config_set(&config, rows[_i].path, text, err, sizeof(err)), 0);

    snprintf(text, sizeof(text), "%lld", (long long)rows[_i].max + 1);
    expect_error(config_set(&config, rows[_i].path, text, err, sizeof(err)), "too large");
    snprintf(text, sizeof(text), "%lld", (long long)rows[_i].min - 1);
    expect_error(config_set(&config, rows[_i].path, text, err, sizeof(err)),
                 rows[_i].min > 0 ? "too small" : "not a number");
    static const char *const never[] = {"", " 1", "1 ", "+1", "0x10", "1.5", "1e3",
                                        "99999999999999999999999", "18446744073709551615G"};
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        expect_error(config_set(&config, rows[_i].path, never[i], err, sizeof(err)), rows[_i].path);
}
END_TEST

START_TEST(units_of_bytes)
{
    config_defaults(&config);
    ck_assert_int_eq(config_set(&config, "udp.receive_buffer_bytes", "64K", err, sizeof(err)), 0);
    ck_assert_uint_eq(config.udp_receive_buffer_bytes, 65536);
    ck_assert_int_eq(config_set(&config, "udp.receive_buffer_bytes", "1g", err, sizeof(err)), 0);
    ck_assert_uint_eq(config.udp_receive_buffer_bytes, 1 << 30);
    expect_error(config_set(&config, "udp.receive_buffer_bytes", "64KB", err, sizeof(err)),
                 "not a number");
    expect_error(config_set(&config, "stack.spin_us", "1K", err, sizeof(err)), "not a number");
}
END_TEST

static const struct {
    const char *wrong, *meant;
} misspelt[] = {
    {"stack.core", "stack.cores"},
    {"stack.croes", "stack.cores"},
    {"Stack.Cores", "stack.cores"},
    {"stack_cores", "stack.cores"},
    {"cores", "stack.cores"},
    {"spin_us", "stack.spin_us"},
    {"tcp.nodeley", "tcp.nodelay"},
    {"tcp.recieve_buffer_max_bytes", "tcp.receive_buffer_max_bytes"},
    {"ports", "port"},
    {"logg.level", "log.level"},
};

START_TEST(unknown_key_names_the_nearest)
{
    char meant[64];

    expect_error(load(misspelt[_i].wrong, "1"), misspelt[_i].wrong);
    snprintf(meant, sizeof(meant), "did you mean %s?", misspelt[_i].meant);
    expect_error(-EINVAL, meant);
}
END_TEST

START_TEST(unknown_key_far_from_all)
{
    expect_error(load("completely.different", "1"), "docs/configuration.md");
    expect_error(load("", "1"), "no such setting");
    setenv("PRONGHORN_STACK_CORE", "1", 1);
    expect_error(load(NULL, NULL), "did you mean PRONGHORN_STACK_CORES?");
}
END_TEST

START_TEST(lists_of_cores)
{
    config_defaults(&config);
    ck_assert_int_eq(config_set(&config, "stack.cores", "5,1-3", err, sizeof(err)), 0);
    ck_assert_uint_eq(config.stack_cores.count, 4);
    ck_assert_uint_eq(config.stack_cores.core[0], 5);
    ck_assert_uint_eq(config.stack_cores.core[3], 3);
    static const char *const wrong[] = {"1,", ",1", "1,,2", "3-1", "1-", "-1", "a", "1;2", "1024",
                                        "1,1", "0-3,2", "0-1000"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        expect_error(config_set(&config, "stack.cores", wrong[i], err, sizeof(err)), "stack.cores");
    ck_assert_int_eq(config_set(&config, "stack.cores", "", err, sizeof(err)), 0);
    ck_assert_uint_eq(config.stack_cores.count, 0);
}
END_TEST

START_TEST(buffers_must_fit_together)
{
    expect_error(load("tcp.send_buffer_default_bytes", "8M"), "tcp.send_buffer_max_bytes");
    expect_error(load("tcp.receive_buffer_min_bytes", "1M"), "tcp.receive_buffer_default_bytes");
}
END_TEST

START_TEST(ports_name_existing_stacks)
{
    expect_error(load("port", "wire,stacks=0;wire,stacks=1"), "there is only 1");
    setenv("PRONGHORN_STACK_CORES", "0,1", 1);
    ck_assert_msg(load("port", "wire,stacks=0;wire,stacks=1") == 0, "%s", err);
    ck_assert_uint_eq(config.port.count, 2);
}
END_TEST

START_TEST(port_lists)
{
    config_defaults(&config);
    ck_assert_int_eq(config_set(&config, "port", " null ;\n; wire,id=2\n", err, sizeof(err)), 0);
    ck_assert_uint_eq(config.port.count, 2);
    ck_assert_str_eq(config.port.entry[0].device, "null");
    ck_assert_str_eq(config.port.entry[1].text, "wire,id=2");
    ck_assert_uint_eq(config.port.entry[1].id, 2);
    /* A stronger source replaces the whole list. */
    ck_assert_int_eq(config_set(&config, "port", "null", err, sizeof(err)), 0);
    ck_assert_uint_eq(config.port.count, 1);
    expect_error(config_set(&config, "port",
                            "null;null;null;null;null;null;null;null;null;null;null;null;null;null;"
                            "null;null;null", err, sizeof(err)), "at most 16");
}
END_TEST

/* What `config print` shows can be given back and means the same. */
static struct config again;

static void give_back(void *context, const char *key, const char *value, const char *source)
{
    ck_assert_ptr_nonnull(source);
    ck_assert_msg(config_set(&again, key, value, err, sizeof(err)) == 0, "%s", err);
    (*(unsigned *)context)++;
}

START_TEST(dump_can_be_loaded)
{
    unsigned count = 0;

    setenv("PRONGHORN_STACK_CORES", "0-2", 1);
    setenv("PRONGHORN_STACK_IDLE", "poll", 1);
    setenv("PRONGHORN_TCP_LOCAL_PORTS", "1024-2048", 1);
    setenv("PRONGHORN_RUNTIME_NAME", "a name", 1);
    ck_assert_msg(load("port", "null;wire,id=1,address=10.0.0.1/8") == 0, "%s", err);
    config_defaults(&again);
    config_dump(&config, give_back, &count);
    ck_assert_uint_eq(count, CONFIG_KEYS);
    memcpy(again.origin, config.origin, sizeof(again.origin));
    ck_assert_mem_eq(&again, &config, sizeof(config));
}
END_TEST

/* Two settings must not share one environment variable. */
START_TEST(names_are_distinct)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t j = 0; j < i; j++) {
            size_t same = 0;
            while (rows[i].path[same] && (rows[i].path[same] == rows[j].path[same] ||
                                          (strchr("._", rows[i].path[same]) && rows[j].path[same] &&
                                           strchr("._", rows[j].path[same]))))
                same++;
            ck_assert_msg(rows[i].path[same] || rows[j].path[same], "%s", rows[i].path);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("config_load");
    TCase *tests = tcase_create("load");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, defaults_load);
    tcase_add_test(tests, embedded_by_default);
    tcase_add_test(tests, count_follows_cores);
    tcase_add_test(tests, later_sources_win);
    tcase_add_test(tests, named_file_must_exist);
    tcase_add_test(tests, other_variables_are_left_alone);
    tcase_add_loop_test(tests, each_key_wrong_once, 0, ARRAY_SIZE(rows));
    tcase_add_loop_test(tests, each_number_at_its_limits, 0, ARRAY_SIZE(rows));
    tcase_add_test(tests, units_of_bytes);
    tcase_add_loop_test(tests, unknown_key_names_the_nearest, 0, ARRAY_SIZE(misspelt));
    tcase_add_test(tests, unknown_key_far_from_all);
    tcase_add_test(tests, lists_of_cores);
    tcase_add_test(tests, buffers_must_fit_together);
    tcase_add_test(tests, ports_name_existing_stacks);
    tcase_add_test(tests, port_lists);
    tcase_add_test(tests, dump_can_be_loaded);
    tcase_add_test(tests, names_are_distinct);
    suite_add_tcase(suite, tests);
    return suite;
}
