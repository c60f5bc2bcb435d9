/* SPDX-License-Identifier: Apache-2.0 */
/* Who borrows and does not return is told so: which descriptor, how much, for how long, and who it was. */
#define RUN_NOFORK
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "lend_pair.h"
#include "main.h"
#include "on_wire.h"
#include "pronghorn/zerocopy.h"

/* The message that names the descriptor, of those from `*at` on; "": there is none. */
static const char *warned(uint64_t *at, int fd)
{
    static struct log_entry entry;
    char start[40];

    snprintf(start, sizeof(start), "descriptor %d: ", fd);
    while (log_read(at, &entry))
        if (entry.level == LOG_LEVEL_WARN && strncmp(entry.text, start, strlen(start)) == 0)
            return entry.text;
    return "";
}

/* Sends, borrows and keeps, until a warning comes or the time is over; what was said. */
static const char *keep_all(int port, int flags, uint64_t *at, uint64_t most_ns)
{
    static struct ph_segment lent[20000];
    static char buffer[16384], said[LOG_LINE_BYTES];
    int client, server, size = 65536;
    uint64_t end_ns = clock_now_ns() + most_ns;
    size_t count = 0;
    ssize_t n;

    pair(port, &client, &server);
    ck_assert_int_eq(ph_setsockopt(server, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    ph_fcntl(client, F_SETFL, O_NONBLOCK);
    said[0] = '\0';
    while (said[0] == '\0' && clock_now_ns() < end_ns) {
        struct pollfd p = { .fd = server, .events = POLLIN };

        ph_poll(&p, 1, 10);
        while (ph_send(client, buffer, sizeof(buffer), 0) > 0)
            ;
        while ((n = ph_recv_lend(server, lent + count, PH_SEGMENTS_MIN, MSG_DONTWAIT | flags)) > 0)
            count += (size_t)n;
        strcpy(said, warned(at, server));
    }
    ck_assert_int_eq(ph_return(lent, count), 0);
    ck_assert_int_eq(ph_close(client), 0);
    ck_assert_int_eq(ph_close(server), 0);
    return said;
}

/* Named are the descriptor, how much for how long, and who borrowed; the owner of a ring warns by itself. */
START_TEST(who_does_not_return_is_named)
{
    unsigned long long bytes = 0, loans = 0;
    double seconds = 0;
    uint64_t at = 0;
    const char *said = keep_all(78, PH_LEND_QUIET, &at, 1500000000u);

    ck_assert_str_eq(said, "");
    said = keep_all(79, 0, &at, 30000000000u);
    ck_assert_int_eq(sscanf(said, "descriptor %*d: %llu bytes in %llu loans are not returned, the oldest for %lf s",
                            &bytes, &loans, &seconds), 3);
    ck_assert_uint_ge(bytes, 65536 / 2);
    ck_assert_uint_gt(loans, 0);
    ck_assert_double_ge(seconds, 1.0);
    ck_assert_ptr_nonnull(strstr(said, program_invocation_short_name)); /* where the borrowing code lies */
    ck_assert_ptr_nonnull(strstr(said, "ph_return()"));
}
END_TEST

static void stop(void)
{
    ph_stop();
}

static Suite *suite(void)
{
    Suite *s = suite_create("unreturned loans");
    TCase *c = tcase_create("warning");

    tcase_add_unchecked_fixture(c, start_on_wire, stop);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, who_does_not_return_is_named);
    suite_add_tcase(s, c);
    return s;
}
