/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random input for the parsers, seeded, a second at most. Whatever comes in: no crash (the sanitize
 * build watches), a reason for each refusal, and what was accepted means the same when read again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "config/config.h"
#include "config/json.h"
#include "main.h"

#define FUZZ_NS 400000000u

static unsigned seed;

static void set_up(void)
{
    const char *given = getenv("PRONGHORN_TEST_SEED");

    seed = given ? (unsigned)atoi(given) : 20260101;
}

static unsigned below(unsigned limit) { return (unsigned)rand_r(&seed) % limit; }

/* Changes some bytes: other bytes, pieces twice, pieces gone, and what the grammar is made of. */
static size_t mutate(char *text, size_t length, size_t room, const char *grammar)
{
    for (unsigned changes = below(4); changes > 0; changes--) {
        size_t at = length ? below((unsigned)length) : 0;
        size_t piece = below(20);

        if (piece > length - at)
            piece = length - at;
        switch (below(4)) {
        case 0:
            if (at < length)
                text[at] = (char)below(256);
            break;
        case 1:
            if (at < length)
                text[at] = grammar[below((unsigned)strlen(grammar))];
            break;
        case 2:
            memmove(text + at, text + at + piece, length - at - piece);
            length -= piece;
            break;
        case 3:
            if (length + piece < room) {
                memmove(text + at + piece, text + at, length - at);
                length += piece;
            }
            break;
        }
    }
    return length;
}

static const char *const lines[] = {
    "af_packet,iface=va,address=10.0.0.2/24,address=fd00::2/64,gateway=10.0.0.1,mtu=1500,queues=2",
    "0000:3b:00.0,mac=02:00:00:00:00:01,stacks=0-3+7,rx_slots=1024,rx_checksum=off,offload=on",
    "memif,path=/run/x.sock,role=server,id=3,zero_copy=on,arguments=a=b+c=d",
    "bond,mode=4,members=0000:3b:00.0+0000:3b:00.1,takeover=on,iface=bond0",
};

START_TEST(port_lines)
{
    static struct port_config port, again;
    uint64_t until = clock_now_ns() + FUZZ_NS;
    unsigned good = 0, bad = 0;

    do {
        char line[1024];
        struct value_problem problem = {""};
        size_t length;

        strcpy(line, lines[below(ARRAY_SIZE(lines))]);
        length = mutate(line, strlen(line), sizeof(line) - 1, ",=/.:+-0123456789abcdef");
        line[length] = '\0';
        if (port_line_parse(line, &port, &problem)) {
            good++;
            ck_assert(port_line_parse(port.text, &again, &problem));
            ck_assert_mem_eq(&port, &again, sizeof(port));
            ck_assert_uint_gt(strlen(port.device), 0);
            ck_assert_uint_le(port.addresses.count, VALUE_ADDRESSES_MAX);
        } else {
            bad++;
            ck_assert_msg(strlen(problem.text) > 10, "%s", line);
        }
    } while (clock_now_ns() < until);
    ck_assert_uint_gt(good, 100);
    ck_assert_uint_gt(bad, 100);
}
END_TEST

static const char json[] =
    "{ \"stack\": { \"cores\": [1, \"3-4\"], \"idle\": \"poll\", \"spin_us\": 5 },\n"
    "  \"port\": [\"null\", {\"device\": \"tap\", \"iface\": \"t0\", \"address\": [\"10.0.0.2/24\"],\n"
    "             \"mtu\": 9000, \"offload\": false}],\n"
    "  \"tcp\": { \"nodelay\": false, \"retries\": null, \"send_buffer_max_bytes\": \"8M\" },\n"
    "  \"runtime\": { \"name\": \"\\u00e9\\n\\\"\\ud83e\\udd8c\" }, \"stats.enabled\": true }";

static bool check_value(void *context, const struct json_value *value)
{
    unsigned *values = context;

    (*values)++;
    ck_assert_uint_ge(value->line, 1);
    ck_assert_uint_lt(strlen(value->path), 256);
    ck_assert_uint_lt(strlen(value->text), 1024);
    return *values < 1000;
}

START_TEST(json_texts)
{
    uint64_t until = clock_now_ns() + FUZZ_NS;
    unsigned good = 0, bad = 0;

    do {
        unsigned values = 0;
        struct json_reader reader = {.value = check_value, .context = &values};
        /* Exactly as long as the text, so that a read beyond its end is noticed. */
        char changed[2 * sizeof(json)], *text;
        size_t length;

        memcpy(changed, json, sizeof(json) - 1);
        length = mutate(changed, sizeof(json) - 1, sizeof(changed), "{}[]:,\"\\u0123truefalsn-+.eE \n");
        if (below(4) == 0)
            length = below((unsigned)length + 1);
        text = malloc(length ? length : 1);
        memcpy(text, changed, length);
        if (json_read(&reader, text, length)) {
            good++;
        } else {
            bad++;
            ck_assert_uint_gt(strlen(reader.problem), 5);
        }
        free(text);
    } while (clock_now_ns() < until);
    ck_assert_uint_gt(good, 100);
    ck_assert_uint_gt(bad, 100);
}
END_TEST

/* Random JSON that is right by construction, and what each of its values must be told as. */
static char *out;
static char expected[64][2][64];
static unsigned expected_count, told;

static void put_value(char *path, unsigned depth);

static void put_members(char *path, unsigned depth, bool is_object)
{
    size_t length = strlen(path);
    unsigned count = below(4);

    out += sprintf(out, is_object ? "{" : " [ ");
    for (unsigned i = 0; i < count; i++) {
        out += sprintf(out, i ? " ,\n" : "");
        if (is_object) {
            sprintf(path + length, "%sk%u", length ? "." : "", i);
            out += sprintf(out, "\"k%u\" :\t", i);
        } else {
            sprintf(path + length, "[%u]", i);
        }
        put_value(path, depth + 1);
        path[length] = '\0';
    }
    out += sprintf(out, is_object ? "}" : "]");
}

static void put_value(char *path, unsigned depth)
{
    static const char *const leaves[][2] = {
        {"null", "null"}, {"true", "true"}, {"-0.5e+3", "-0.5e+3"}, {"0", "0"},
        {"\"\"", ""}, {"\"a\\/b\\\\\\u0041\\t\"", "a/b\\A\t"}, {"\"{[,:]}\"", "{[,:]}"},
    };
    unsigned kind = below(depth == 0 ? 2 : depth > 4 ? 4 : 8);
    const char *text = "";

    if (depth == 0 || kind > 5) {
        put_members(path, depth, kind % 2 == 0);
    } else {
        unsigned leaf = below(ARRAY_SIZE(leaves));
        out += sprintf(out, "%s", leaves[leaf][0]);
        text = leaves[leaf][1];
    }
    if (expected_count < ARRAY_SIZE(expected)) {
        strcpy(expected[expected_count][0], path);
        strcpy(expected[expected_count][1], text);
    }
    expected_count++;
}

static bool compare_value(void *context, const struct json_value *value)
{
    if (told < ARRAY_SIZE(expected)) {
        ck_assert_str_eq(value->path, expected[told][0]);
        ck_assert_str_eq(value->text, expected[told][1]);
    }
    told++;
    return true;
}

START_TEST(json_by_construction)
{
    static char text[1 << 16];

    for (int round = 0; round < 3000; round++) {
        struct json_reader reader = {.value = compare_value};
        char path[64] = "";

        out = text;
        expected_count = told = 0;
        put_value(path, 0);
        ck_assert_msg(json_read(&reader, text, strlen(text)), "%s\n%s", reader.problem, text);
        ck_assert_uint_eq(told, expected_count);
    }
}
END_TEST

/* Whole files: good ones can be dumped and loaded again. */
START_TEST(files)
{
    static struct config config;
    char path[] = "/tmp/pronghorn-fuzz-XXXXXX", err[1024];
    uint64_t until = clock_now_ns() + FUZZ_NS;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    setenv("PRONGHORN_CONFIG", path, 1);
    do {
        char changed[2 * sizeof(json)];
        size_t length;

        memcpy(changed, json, sizeof(json) - 1);
        length = mutate(changed, sizeof(json) - 1, sizeof(changed), "{}[]:,\"\\u0123truefalsn-+.eE \n");
        ck_assert_int_eq(pwrite(fd, changed, length, 0), (ssize_t)length);
        ck_assert_int_eq(ftruncate(fd, (off_t)length), 0);
        err[0] = '\0';
        int result = config_load(&config, NULL, 0, err, sizeof(err));
        if (result < 0) {
            ck_assert_int_eq(result, -EINVAL);
            ck_assert_uint_gt(strlen(err), 20);
        }
    } while (clock_now_ns() < until);
    close(fd);
    unlink(path);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("config_fuzz");
    TCase *tests = tcase_create("fuzz");

    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, port_lines);
    tcase_add_test(tests, json_texts);
    tcase_add_test(tests, json_by_construction);
    tcase_add_test(tests, files);
    suite_add_tcase(suite, tests);
    return suite;
}
