/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several stacks behind one port whose device spreads packets as it likes: two stacks on either side of a wire
 * with two queues. A connection's packets come to its stack as long as it lives.
 */
#define RUN_NOFORK
#include <errno.h>
#include <string.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"

#define SERVER_PORT 4000
#define FIRST_PORT 5000 /* not among those for connect() without bind() */
#define SHARES_PORT 33000 /* and on: some in every stack's share of those */
#define CONNECTIONS 16  /* chance would lead half of them home */
#define SEND_BUFFER (512 << 10) /* more than the window that every peer is promised: the rest waits for the reader */

/* More than the peer takes before it reads: the rest waits here. */
static size_t fill(int fd)
{
    static char data[16384];
    size_t sent = 0;
    ssize_t now;

    memset(data, 'x', sizeof(data));
    while ((now = ph_send(fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
        sent += (size_t)now;
    ck_assert_int_eq(errno, EAGAIN);
    return sent;
}

static size_t read_to_the_end(int fd)
{
    static char data[16384];
    size_t got = 0;
    ssize_t now;

    while ((now = ph_recv(fd, data, sizeof(data), 0)) > 0)
        got += (size_t)now;
    ck_assert_msg(now == 0, "after %zu bytes: %s", got, strerror(errno));
    return got;
}

/* Closed with data waiting: nobody has the port bound any more, and the stack still sends from it. */
START_TEST(what_close_left_still_arrives)
{
    int server = bound(SOCK_STREAM, "10.0.0.2", SERVER_PORT), client[CONNECTIONS], accepted[CONNECTIONS];
    int bytes = 16384;
    struct sockaddr_in to = address("10.0.0.2", SERVER_PORT);
    size_t sent[CONNECTIONS];

    ck_assert_int_eq(ph_setsockopt(server, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
    ck_assert_int_eq(ph_listen(server, CONNECTIONS), 0);
    bytes = SEND_BUFFER;
    for (int i = 0; i < CONNECTIONS; i++) {
        client[i] = bound(SOCK_STREAM, "0.0.0.0", FIRST_PORT + i);
        ck_assert_int_eq(ph_setsockopt(client[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
        ck_assert_msg(ph_connect(client[i], (void *)&to, sizeof(to)) == 0, "connect: %s", strerror(errno));
        accepted[i] = ph_accept(server, NULL, NULL);
        ck_assert_int_ge(accepted[i], 0);
        sent[i] = fill(client[i]);
    }
    for (int i = 0; i < CONNECTIONS; i++)
        ck_assert_int_eq(ph_close(client[i]), 0);
    for (int i = 0; i < CONNECTIONS; i++) {
        ck_assert_uint_eq(read_to_the_end(accepted[i]), sent[i]);
        ck_assert_int_eq(ph_close(accepted[i]), 0);
    }
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

/* Whatever an earlier connection left in TIME_WAIT. */
static int bound_again(const char *ip, int port)
{
    struct sockaddr_in a = address(ip, port);
    int fd = ph_socket(AF_INET, SOCK_STREAM, 0), yes = 1;

    ck_assert_int_eq(ph_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    ck_assert_msg(ph_bind(fd, (void *)&a, sizeof(a)) == 0, "bind: %s", strerror(errno));
    return fd;
}

/*
 * The numbers that connect() draws are shared out among all stacks of the process, also to those without a way to the
 * peer: who binds such a number himself connects all the same, and the answers find him.
 */
START_TEST(a_port_of_any_stacks_share)
{
    int server = bound_again("10.0.0.2", SERVER_PORT + 1);
    struct sockaddr_in to = address("10.0.0.2", SERVER_PORT + 1);

    ck_assert_int_eq(ph_listen(server, CONNECTIONS), 0);
    for (int i = 0; i < CONNECTIONS; i++) {
        int client = bound_again("10.0.0.1", SHARES_PORT + i * 1700), accepted;
        char byte = 0;

        ck_assert_msg(ph_connect(client, (void *)&to, sizeof(to)) == 0, "%d: connect: %s", i, strerror(errno));
        accepted = ph_accept(server, NULL, NULL);
        ck_assert_int_eq(ph_send(accepted, "a", 1, 0), 1);
        ck_assert_int_eq(ph_recv(client, &byte, 1, 0), 1);
        ck_assert_int_eq(byte, 'a');
        ck_assert_int_eq(ph_close(client), 0);
        ck_assert_int_eq(ph_close(accepted), 0);
    }
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

/* The other way round: what belongs to the others' share listens. */
START_TEST(a_listener_in_any_stacks_share)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        int server = bound_again("10.0.0.2", SHARES_PORT + i * 1700), accepted;
        int client = bound_again("0.0.0.0", FIRST_PORT + CONNECTIONS + i);
        struct sockaddr_in to = address("10.0.0.2", SHARES_PORT + i * 1700);

        ck_assert_int_eq(ph_listen(server, 1), 0);
        ck_assert_msg(ph_connect(client, (void *)&to, sizeof(to)) == 0, "%d: connect: %s", i, strerror(errno));
        accepted = ph_accept(server, NULL, NULL);
        ck_assert_int_ge(accepted, 0);
        ck_assert_int_eq(ph_close(client), 0);
        ck_assert_int_eq(read_to_the_end(accepted), 0);
        ck_assert_int_eq(ph_close(accepted), 0);
        ck_assert_int_eq(ph_close(server), 0);
    }
}
END_TEST

/* With the other end's share, too, to itself: it stays in its interface's loop. */
START_TEST(to_itself_from_any_stacks_share)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        struct sockaddr_in to = address("10.0.0.2", SHARES_PORT + i * 1700);
        int self = bound_again("10.0.0.2", SHARES_PORT + i * 1700);
        char byte = 0;

        ck_assert_msg(ph_connect(self, (void *)&to, sizeof(to)) == 0, "%d: connect: %s", i, strerror(errno));
        ck_assert_int_eq(ph_send(self, "b", 1, 0), 1);
        ck_assert_int_eq(ph_recv(self, &byte, 1, 0), 1);
        ck_assert_int_eq(ph_close(self), 0);
    }
}
END_TEST

static void start(void)
{
    start_with(TWO_STACKS_EACH);
}

static Suite *suite(void)
{
    Suite *s = suite_create("steer");
    TCase *c = tcase_create("steer");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, what_close_left_still_arrives);
    tcase_add_test(c, a_port_of_any_stacks_share);
    tcase_add_test(c, a_listener_in_any_stacks_share);
    tcase_add_test(c, to_itself_from_any_stacks_share);
    suite_add_tcase(s, c);
    return s;
}
