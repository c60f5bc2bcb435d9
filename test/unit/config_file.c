/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file: JSON, what it may hold, and where it is wrong. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "config/config.h"
#include "config/json.h"
#include "main.h"

static struct config config;
static char err[1024];
static char path[] = "/tmp/pronghorn-file-XXXXXX";

static void set_up(void)
{
    strcpy(path + sizeof(path) - 7, "XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    setenv("PRONGHORN_CONFIG", path, 1);
}

static void tear_down(void) { unlink(path); }

static int load(const char *text, size_t length)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    fclose(file);
    err[0] = '\0';
    return config_load(&config, NULL, 0, err, sizeof(err));
}

static void expect_good(const char *text)
{
    int result = load(text, strlen(text));
    ck_assert_msg(result == 0, "%d %s", result, err);
}

START_TEST(empty_object)
{
    expect_good("{}");
    expect_good(" \n\t{ } \r\n");
}
END_TEST

START_TEST(all_kinds_of_values)
{
    expect_good("{ \"$schema\": \"./pronghorn.schema.json\", \"$schema\": 1,\n"
                "  \"stack\": { \"cores\": [1, \"3-4\"], \"idle\": \"poll\", \"spin_us\": 5 },\n"
                "  \"tcp\": { \"nodelay\": false, \"local_ports\": \"1024-2000\", \"retries\": null,\n"
                "             \"send_buffer_max_bytes\": \"8M\" },\n"
                "  \"stats.enabled\": true,\n"
                "  \"runtime\": { \"name\": \"\\u00e9\\\"\\ud83e\\udd8c\" }\n}");
    ck_assert_uint_eq(config.stack_cores.count, 3);
    ck_assert_uint_eq(config.stack_cores.core[2], 4);
    ck_assert_int_eq(config.stack_idle, CONFIG_IDLE_POLL);
    ck_assert_uint_eq(config.stack_spin_us, 5);
    ck_assert(!config.tcp_nodelay);
    ck_assert_uint_eq(config.tcp_local_ports.last, 2000);
    ck_assert_uint_eq(config.tcp_retries, 15);
    ck_assert_int_eq(config.origin[CONFIG_KEY_tcp_retries].source, CONFIG_FROM_DEFAULT);
    ck_assert_uint_eq(config.tcp_send_buffer_max_bytes, 8 << 20);
    ck_assert(config.stats_enabled);
    ck_assert_str_eq(config.runtime_name, "\xc3\xa9\"\xf0\x9f\xa6\x8c");
}
END_TEST

START_TEST(ports_as_lines_and_objects)
{
    expect_good("{\"port\": [\"null\",\n"
                " {\"iface\": \"va\", \"address\": [\"10.0.0.2/24\", \"fd00::2/64\"], \"mtu\": 9000,\n"
                "  \"device\": \"af_packet\", \"rx_checksum\": false, \"gateway\": \"10.0.0.1\"},\n"
                " {\"device\": \"wire\", \"address\": [], \"stacks\": [0], \"members\": [\"a\", \"b\"]},"
                " \"wire,id=3\"]}");
    ck_assert_uint_eq(config.port.count, 4);
    ck_assert_str_eq(config.port.entry[0].device, "null");
    ck_assert_str_eq(config.port.entry[1].device, "af_packet");
    ck_assert_str_eq(config.port.entry[1].iface, "va");
    ck_assert_uint_eq(config.port.entry[1].addresses.count, 2);
    ck_assert_uint_eq(config.port.entry[1].mtu, 9000);
    ck_assert(!config.port.entry[1].rx_checksum);
    ck_assert_str_eq(config.port.entry[2].device, "wire");
    ck_assert_str_eq(config.port.entry[2].members, "a+b");
    ck_assert_uint_eq(config.port.entry[2].stacks.count, 1);
    ck_assert_uint_eq(config.port.entry[3].id, 3);

    expect_good("{\"port\": \"null;wire\"}");
    ck_assert_uint_eq(config.port.count, 2);
    expect_good("{\"port\": []}");
    ck_assert_str_eq(config.port.entry[0].device, "wire"); /* as if it were not there */
}
END_TEST

/* "LINE" in `part` stands for the line that the message must name. */
static const struct {
    const char *text;
    unsigned line;
    const char *part;
} wrong[] = {
    {"", 1, "the text ends"},
    {"\n\n  ", 3, "the text ends"},
    {"[]", 1, "not an object"},
    {"\"text\"", 1, "not an object"},
    {"{\n", 2, "a name in double quotes"},
    {"{\n\"stack\"", 2, "a colon"},
    {"{\n\"stack\":\n{\"spin_us\": 1,}}", 3, "'}' stands where a name in double quotes"},
    {"{'stack': 1}", 1, "'''"},
    {"{\"stack.spin_us\": 1} x", 1, "the end of the text"},
    {"{\"stack.spin_us\": 01}", 1, "a comma or }"},
    {"{\"stack.spin_us\": -}", 1, "not complete"},
    {"{\"stack.spin_us\": 1.}", 1, "not complete"},
    {"{\"stack.spin_us\": 1e}", 1, "not complete"},
    {"{\"stack.spin_us\": tru}", 1, "a value"},
    {"{\n // words\n\"stack.spin_us\": 1}", 2, "'/'"},
    {"{\"runtime.name\": \"a\nb\"}", 1, "control character"},
    {"{\"runtime.name\": \"a", 1, "not closed"},
    {"{\"runtime.name\": \"a\\", 1, "not closed"},
    {"{\"runtime.name\": \"\\x\"}", 1, "backslash"},
    {"{\"runtime.name\": \"\\u12\"}", 1, "four hexadecimal digits"},
    {"{\"runtime.name\": \"\\u0000\"}", 1, "NUL"},
    {"{\"runtime.name\": \"\\ud800\"}", 1, "surrogate"},
    {"{\"runtime.name\": \"\\ud800\\u0041\"}", 1, "surrogate"},
    {"{\"runtime.name\": \"\\udc00\"}", 1, "surrogate"},
    {"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
     "{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}}", 1, "too deeply"},
    {"{\n\"stack\": {\"spinus\": 1}}", 2, "did you mean stack.spin_us?"},
    {"{\n\"stacks\": {}}", 2, "no such setting"},
    {"{\n\"stacks\": []}", 2, "no such setting"},
    {"{\n\"stacks\": null}", 2, "no such setting"},
    {"{\n\"stacks\": [1]}", 2, "no such setting"},
    {"{\n\"log\": {\"level\": {}}}", 2, "it is an object; give one value"},
    {"{\n\"stack\": {\"cores\": {}}}", 2, "it is an object; give a list"},
    {"{\n\"stack.spin_us\": [1]}", 2, "it is a list; give one value"},
    {"{\n\"stack.spin_us\": []}", 2, "it is a list; give one value"},
    {"{\n\"stack.cores\": [[1]]}", 2, "nested too deeply"},
    {"{\n\"stack.cores\": [{}]}", 2, "nested too deeply"},
    {"{\n\"stack.cores\": [null]}", 2, "null"},
    {"{\n\"stack.cores\": [1,1]}", 2, "twice"},
    {"{\n\"stack.spin_us\": 1,\n\"stack\": {\"spin_us\": 2}}", 3, "first on line 2"},
    {"{\n\"port\": [{}]}", 2, "no device"},
    {"{\n\"port\": [{\"iface\": \"va\"}]}", 2, "no device"},
    {"{\n\"port\": [{\"device\": \"tap\", \"ifac\": \"va\"}]}", 2, "did you mean iface?"},
    {"{\n\"port\": [{\"device\": \"tap\", \"iface\": \"va,mtu=1\"}]}", 2, "comma"},
    {"{\n\"port\": [{\"device\": {\"a\": 1}}]}", 2, "nested too deeply"},
    {"{\n\"port\": [{\"device\": \"tap\", \"address\": [[1]]}]}", 2, "nested too deeply"},
    {"{\n\"port\": [[\"null\"]]}", 2, "nested too deeply"},
    {"{\n\"port\": [\"null;null\"]}", 2, "semicolon"},
    {"{\n\"port\": [\"tap,mtu=1\"]}", 2, "tap,mtu=1"},
};

START_TEST(wrong_files_say_where)
{
    char where[80];

    ck_assert_int_eq(load(wrong[_i].text, strlen(wrong[_i].text)), -EINVAL);
    snprintf(where, sizeof(where), "%s:%u", path, wrong[_i].line);
    ck_assert_msg(strstr(err, where) != NULL, "%s: %s", wrong[_i].text, err);
    ck_assert_msg(strstr(err, wrong[_i].part) != NULL, "%s: %s", wrong[_i].text, err);
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
    ck_assert_int_eq(load("{\0}", 3), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err, "0x00"));
    ck_assert_int_eq(load("{\"runtime.name\": \"a\0b\"}", 23), -EINVAL);
    ck_assert_int_eq(load("{\"runtime.name\": \"\\\0\"}", 22), -EINVAL);
}
END_TEST

START_TEST(long_texts)
{
    char text[3000];

    memset(text, 'a', sizeof(text));
    memcpy(text, "{\"", 2);
    ck_assert_int_eq(load(text, sizeof(text)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err, "too long"));
    memset(text + 300, 'a', 300);
    memcpy(text + 300, "\":1}", 4);
    ck_assert_int_eq(load(text, 304), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err, "name is too long"));
}
END_TEST

START_TEST(huge_file)
{
    FILE *file = fopen(path, "w");

    ck_assert_int_eq(ftruncate(fileno(file), 8 << 20), 0);
    fclose(file);
    ck_assert_int_eq(config_load(&config, NULL, 0, err, sizeof(err)), -EFBIG);
    ck_assert_ptr_nonnull(strstr(err, path));
}
END_TEST

START_TEST(directory_for_a_file)
{
    setenv("PRONGHORN_CONFIG", "/tmp", 1);
    ck_assert_int_eq(config_load(&config, NULL, 0, err, sizeof(err)), -EISDIR);
    ck_assert_ptr_nonnull(strstr(err, "/tmp"));
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("config_file");
    TCase *tests = tcase_create("file");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, empty_object);
    tcase_add_test(tests, all_kinds_of_values);
    tcase_add_test(tests, ports_as_lines_and_objects);
    tcase_add_loop_test(tests, wrong_files_say_where, 0, ARRAY_SIZE(wrong));
    tcase_add_test(tests, bytes_that_are_no_text);
    tcase_add_test(tests, long_texts);
    tcase_add_test(tests, huge_file);
    tcase_add_test(tests, directory_for_a_file);
    suite_add_tcase(suite, tests);
    return suite;
}
