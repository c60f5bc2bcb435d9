/* SPDX-License-Identifier: Apache-2.0 */
/* Options whose effect shows between two ends only, beyond what setsockopt() and getsockopt() say. */
#define RUN_NOFORK
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "main.h"
#include "on_wire.h"

#define PORT 4000
#define CLAMP 8192
#define QUEUE 2 /* connections that a backlog of one less takes, as the kernel */

static int listening(int backlog)
{
    int fd = bound(SOCK_STREAM, "10.0.0.1", PORT);

    ck_assert_int_eq(ph_listen(fd, backlog), 0);
    return fd;
}

static int client_with(int name, int value)
{
    int fd = bound(SOCK_STREAM, "10.0.0.2", 0);

    ck_assert_int_eq(ph_setsockopt(fd, IPPROTO_TCP, name, &value, sizeof(value)), 0);
    return fd;
}

/* The peer sends what it can, and not a byte more arrives unread. */
START_TEST(the_window_is_clamped)
{
    static char data[65536];
    struct sockaddr_in to = address("10.0.0.1", PORT);
    int server = listening(1), fd = client_with(TCP_WINDOW_CLAMP, CLAMP), accepted, unread = 0;

    ck_assert_msg(ph_connect(fd, (void *)&to, sizeof(to)) == 0, "connect: %s", strerror(errno));
    accepted = ph_accept(server, NULL, NULL);
    ck_assert_int_ge(accepted, 0);
    while (ph_send(accepted, data, sizeof(data), MSG_DONTWAIT) > 0)
        ;
    for (int i = 0; i < 1000 && unread < CLAMP / 2; i++) { /* the first segments fill half of it at least */
        usleep(1000);
        ph_turn();
        ck_assert_int_eq(ph_ioctl(fd, FIONREAD, &unread), 0);
    }
    ck_assert_int_ge(unread, CLAMP / 2);
    for (int i = 0; i < 50; i++) {
        usleep(1000);
        ph_turn();
        ck_assert_int_eq(ph_ioctl(fd, FIONREAD, &unread), 0);
        ck_assert_int_le(unread, CLAMP);
    }
    ck_assert_int_eq(ph_close(fd), 0);
    ck_assert_int_eq(ph_close(accepted), 0);
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

/* A listener whose queue is full answers no SYN: after one more and 3 s it is over, not after 6 and two minutes. */
START_TEST(so_many_syns_and_no_more)
{
    struct sockaddr_in to = address("10.0.0.1", PORT);
    int server = listening(QUEUE - 1), fd[QUEUE + 1], error = 0;
    socklen_t len = sizeof(error);
    struct pollfd last;

    for (int i = 0; i <= QUEUE; i++) {
        fd[i] = client_with(TCP_SYNCNT, 1);
        if (i == QUEUE)
            ck_assert_int_eq(ph_fcntl(fd[i], F_SETFL, O_NONBLOCK), 0);
        ck_assert_int_eq(ph_connect(fd[i], (void *)&to, sizeof(to)), i < QUEUE ? 0 : -1);
    }
    ck_assert_int_eq(errno, EINPROGRESS);
    last = (struct pollfd){ .fd = fd[QUEUE], .events = POLLOUT };
    ck_assert_int_eq(ph_poll(&last, 1, 30000), 1);
    ck_assert_int_eq(ph_getsockopt(last.fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    ck_assert_int_eq(error, ETIMEDOUT);
    for (int i = 0; i <= QUEUE; i++)
        ck_assert_int_eq(ph_close(fd[i]), 0);
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

static void start(void)
{
    start_with(STACK_EACH);
}

static Suite *suite(void)
{
    Suite *s = suite_create("options");
    TCase *c = tcase_create("effects");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, the_window_is_clamped);
    tcase_add_test(c, so_many_syns_and_no_more);
    suite_add_tcase(s, c);
    return s;
}
