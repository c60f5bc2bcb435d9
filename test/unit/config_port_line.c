/* SPDX-License-Identifier: Apache-2.0 */
/* Port lines: what they mean, and what is said about wrong ones. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "config/config.h"
#include "main.h"

static struct port_config port;
static struct value_problem problem;

static void expect_good(const char *line)
{
    problem.text[0] = '\0';
    ck_assert_msg(port_line_parse(line, &port, &problem), "%s: %s", line, problem.text);
}

static void expect_ip(const struct config_address *address, const char *ip, unsigned prefix_bits)
{
    char text[INET6_ADDRSTRLEN];

    inet_ntop(address->family, address->bytes, text, sizeof(text));
    ck_assert_str_eq(text, ip);
    ck_assert_uint_eq(address->prefix_bits, prefix_bits);
}

START_TEST(device_alone_has_defaults)
{
    expect_good("null");
    ck_assert_str_eq(port.device, "null");
    ck_assert_str_eq(port.iface, "");
    ck_assert_uint_eq(port.addresses.count, 0);
    ck_assert_uint_eq(port.mtu, 0);
    ck_assert_uint_eq(port.queues, 0);
    ck_assert_uint_eq(port.rx_slots, 512);
    ck_assert(port.rx_checksum && port.offload && !port.takeover && !port.mac.given);
}
END_TEST

START_TEST(everything_at_once)
{
    expect_good("  af_packet,iface=va,address=10.0.0.2/24,address=fd00::2/64,gateway=10.0.0.1,"
                "gateway=fd00::1,mtu=1500,queues=2,rx_slots=1024,tx_slots=256,rx_checksum=off,"
                "offload=off,mac=02:0A:ff:00:00:01,takeover=on,stacks=0-1+7 ");
    ck_assert_str_eq(port.device, "af_packet");
    ck_assert_str_eq(port.iface, "va");
    ck_assert_uint_eq(port.addresses.count, 2);
    expect_ip(&port.addresses.entry[0], "10.0.0.2", 24);
    expect_ip(&port.addresses.entry[1], "fd00::2", 64);
    ck_assert_uint_eq(port.gateways.count, 2);
    expect_ip(&port.gateways.entry[0], "10.0.0.1", 32);
    expect_ip(&port.gateways.entry[1], "fd00::1", 128);
    ck_assert_uint_eq(port.mtu, 1500);
    ck_assert_uint_eq(port.queues, 2);
    ck_assert_uint_eq(port.rx_slots, 1024);
    ck_assert_uint_eq(port.tx_slots, 256);
    ck_assert(!port.rx_checksum && !port.offload && port.takeover && port.mac.given);
    ck_assert_mem_eq(port.mac.bytes, "\x02\x0a\xff\x00\x00\x01", 6);
    ck_assert_uint_eq(port.stacks.count, 3);
    ck_assert_uint_eq(port.stacks.core[2], 7);
    ck_assert(port.text[0] == 'a' && port.text[strlen(port.text) - 1] == '7');
}
END_TEST

START_TEST(devices_and_addresses)
{
    expect_good("0000:3b:00.0,address=2001:db8::1/128");
    ck_assert_str_eq(port.device, "0000:3b:00.0");
    expect_good("device=memif,path=/run/a b.sock,role=server,zero_copy=on,id=7");
    ck_assert_str_eq(port.device, "memif");
    ck_assert_str_eq(port.path, "/run/a b.sock");
    ck_assert_int_eq(port.role, CONFIG_ROLE_SERVER);
    expect_good("tap,address=::ffff:10.0.0.1/128");
    expect_good("tap,address=10.1.2.3/9,gateway=10.127.0.1"); /* same network, odd prefix */
    expect_good("tap,address=fd00::2/64,gateway=fe80::1");    /* link-local: always reachable */
    expect_good("af_xdp,iface=x,arguments=busy_budget=0+start_queue=1");
    ck_assert_str_eq(port.arguments, "busy_budget=0+start_queue=1");
}
END_TEST

static const struct {
    const char *line, *part;
} wrong[] = {
    {"", "device"},
    {"   ", "device"},
    {"iface=va", "device"},
    {"device=", "device"},
    {"a/b", "no device name"},
    {"abcdefghijklmnopqrstuvwxyzabcdefghijkl", "too long"},
    {"tap,", "name=value"},
    {"tap,iface", "name=value"},
    {"tap,adress=10.0.0.1/8", "did you mean address?"},
    {"tap,gatway=10.0.0.1", "did you mean gateway?"},
    {"tap,xyzzyx=1", "docs/configuration.md"},
    {"tap,mtu=1500,mtu=1500", "twice"},
    {"tap,mtu=100", "576"},
    {"tap,mtu=9601", "too large"},
    {"tap,mtu=600,address=fd00::1/64", "1280"},
    {"tap,iface=0123456789abcdef", "at most 15"},
    {"tap,rx_checksum=maybe", "on nor off"},
    {"memif,role=master", "server, client"},
    {"tap,address=", "empty"},
    {"tap,address=10.0.0.1", "prefix length"},
    {"tap,address=10.0.0.1/", "prefix length"},
    {"tap,address=10.0.0.1/33", "from 1 to 32"},
    {"tap,address=10.0.0.1/0", "from 1 to 32"},
    {"tap,address=fd00::1/129", "from 1 to 128"},
    {"tap,address=fd00::1/-1", "from 1 to 128"},
    {"tap,address=10.0.0/8", "not an IP address"},
    {"tap,address=fd00:::1/64", "not an IP address"},
    {"tap,address=0.0.0.0/8", "unspecified"},
    {"tap,address=::/64", "unspecified"},
    {"tap,address=224.0.0.1/4", "unicast"},
    {"tap,address=127.0.0.1/8", "unicast"},
    {"tap,address=ff02::1/64", "unicast"},
    {"tap,address=10.0.0.1/8,address=10.0.0.1/16", "once"},
    {"tap,address=10.0.0.2/24,gateway=10.0.1.1", "10.0.1.1"},
    {"tap,gateway=10.0.0.1", "no network"},
    {"tap,address=10.0.0.2/24,gateway=10.0.0.1/24", "without a prefix"},
    {"tap,address=10.0.0.2/24,gateway=10.0.0.1,gateway=10.0.0.3", "once"},
    {"tap,mac=02:00:00:00:00", "MAC"},
    {"tap,mac=02-00-00-00-00-01", "MAC"},
    {"tap,mac=02:00:00:00:00:01:02", "MAC"},
    {"tap,mac=02:00:00:00:00:0g", "MAC"},
    {"tap,mac=01:00:00:00:00:01", "even"},
    {"tap,mac=00:00:00:00:00:00", "own MAC"},
    {"tap,takeover=on", "iface="},
    {"tap,stacks=1,", "name=value"},
};

START_TEST(wrong_lines_say_why)
{
    problem.text[0] = '\0';
    ck_assert_msg(!port_line_parse(wrong[_i].line, &port, &problem), "%s", wrong[_i].line);
    ck_assert_msg(strstr(problem.text, wrong[_i].part) != NULL, "%s: %s", wrong[_i].line,
                  problem.text);
}
END_TEST

START_TEST(too_long)
{
    char line[CONFIG_PORT_LINE_BYTES + 10];

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    ck_assert(!port_line_parse(line, &port, &problem));
    ck_assert_ptr_nonnull(strstr(problem.text, "too long"));
}
END_TEST

START_TEST(too_many_addresses)
{
    char line[CONFIG_PORT_LINE_BYTES] = "tap";

    for (int i = 1; i <= VALUE_ADDRESSES_MAX; i++) {
        char more[40];
        snprintf(more, sizeof(more), ",address=10.0.0.%d/8", i);
        strcat(line, more);
    }
    expect_good(line);
    strcat(line, ",address=10.1.0.0/8");
    ck_assert(!port_line_parse(line, &port, &problem));
    ck_assert_ptr_nonnull(strstr(problem.text, "at most 16"));
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("config_port_line");
    TCase *tests = tcase_create("port_line");

    tcase_add_test(tests, device_alone_has_defaults);
    tcase_add_test(tests, everything_at_once);
    tcase_add_test(tests, devices_and_addresses);
    tcase_add_loop_test(tests, wrong_lines_say_why, 0, ARRAY_SIZE(wrong));
    tcase_add_test(tests, too_long);
    tcase_add_test(tests, too_many_addresses);
    suite_add_tcase(suite, tests);
    return suite;
}
