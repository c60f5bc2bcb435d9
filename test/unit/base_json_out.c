/* SPDX-License-Identifier: Apache-2.0 */
#include "main.h"

#include <string.h>

#include "base/json_out.h"

static char text[256];

START_TEST(nesting_and_commas)
{
    struct json_out out;

    json_out_init(&out, text, sizeof(text));
    json_open(&out, NULL, '{');
    json_string(&out, "a", "x");
    json_open(&out, "list", '[');
    json_number(&out, NULL, 1);
    json_signed(&out, NULL, -2);
    json_open(&out, NULL, '{');
    json_close(&out, '}');
    json_close(&out, ']');
    json_bool(&out, "b", true);
    json_close(&out, '}');
    json_line(&out);
    json_open(&out, NULL, '[');
    json_close(&out, ']');
    ck_assert_str_eq(text, "{\"a\":\"x\",\"list\":[1,-2,{}],\"b\":true}\n[]");
    ck_assert(!out.cut);
}
END_TEST

START_TEST(what_needs_escapes)
{
    struct json_out out;

    json_out_init(&out, text, sizeof(text));
    json_string(&out, NULL, "q\"b\\n\n\x1b\x7fü");
    ck_assert_str_eq(text, "\"q\\\"b\\\\n\\u000a\\u001b\x7fü\"");
}
END_TEST

/* Whatever the room: never written beyond, always ended, and told. */
START_TEST(every_room)
{
    const char whole[] = "{\"key\":\"val\\u0001ue\",\"n\":18446744073709551615}";
    struct json_out out;

    for (size_t room = 0; room < sizeof(whole) + 8; room++) {
        memset(text, '#', sizeof(text));
        json_out_init(&out, text, room);
        json_open(&out, NULL, '{');
        json_string(&out, "key", "val\001ue");
        json_number(&out, "n", UINT64_MAX);
        json_close(&out, '}');
        ck_assert_int_eq(out.cut, room < sizeof(whole));
        if (room > 0)
            ck_assert_uint_lt(strlen(text), room);
        ck_assert_int_eq(text[room], '#');
    }
    ck_assert_str_eq(text, whole);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("base_json_out");
    TCase *cases = tcase_create("all");

    tcase_add_test(cases, nesting_and_commas);
    tcase_add_test(cases, what_needs_escapes);
    tcase_add_test(cases, every_room);
    suite_add_tcase(s, cases);
    return s;
}
