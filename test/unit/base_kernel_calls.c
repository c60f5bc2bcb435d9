/* SPDX-License-Identifier: Apache-2.0 */
/* The table holds libc's functions even when the program has functions of the same names. */
#include "base/kernel_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compiler.h"
#include "main.h"

/* As a shim has: defined in the program, it comes before libc's in the order of look-up. */
int listen(int fd, int backlog)
{
    errno = EDOTDOT;
    return -1;
}

START_TEST(all_resolved)
{
#define KERNEL_CALL(result, name, parameters) ck_assert_msg(kernel.name != NULL, #name);
#include "base/kernel_calls.def"
#undef KERNEL_CALL
    kernel_calls_resolve();
}
END_TEST

START_TEST(next_one_is_taken)
{
    int fd = kernel.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un_like {
        sa_family_t family;
        char path[108];
    } address = {.family = AF_UNIX}; /* unnamed: the kernel chooses a name */

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(listen(fd, 1), -1);
    ck_assert_int_eq(errno, EDOTDOT);
    ck_assert_int_eq(kernel.bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(kernel.listen(fd, 1), 0);
    ck_assert_int_eq(kernel.close(fd), 0);
}
END_TEST

START_TEST(calls_with_variable_arguments)
{
    int fds[2], flags;

    ck_assert_int_eq(kernel.socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    flags = kernel.fcntl(fds[0], F_GETFL);
    ck_assert_int_eq(kernel.fcntl(fds[0], F_SETFL, flags | O_NONBLOCK), 0);
    ck_assert_int_eq(kernel.fcntl(fds[0], F_GETFL), flags | O_NONBLOCK);
    ck_assert_int_eq(kernel.read(fds[0], &flags, 1), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(kernel.syscall(SYS_getpid), getpid());
    kernel.close(fds[0]);
    kernel.close(fds[1]);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("base_kernel_calls");
    TCase *tests = tcase_create("kernel_calls");

    tcase_add_test(tests, all_resolved);
    tcase_add_test(tests, next_one_is_taken);
    tcase_add_test(tests, calls_with_variable_arguments);
    suite_add_tcase(suite, tests);
    return suite;
}
