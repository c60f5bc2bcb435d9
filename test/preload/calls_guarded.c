/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that stand guard: the fortified forms, which end a program that would write past its memory. */
#include "calls.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

/* What the compiler makes of calls with -D_FORTIFY_SOURCE, where it knows how much room there is. */
extern ssize_t __read_chk(int fd, void *data, size_t n, size_t room);
extern ssize_t __recv_chk(int fd, void *data, size_t n, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *data, size_t n, size_t room, int flags, struct sockaddr *from,
                              socklen_t *from_n);
extern int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t room);
extern int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                       size_t room);
extern int __dprintf_chk(int fd, int flag, const char *format, ...);
extern long __fdelt_chk(long fd);

static sigjmp_buf back;

static void on_abort(int number)
{
    siglongjmp(back, number);
}

/* It ends in abort(), in this very process, whose sockets the call is on. */
#define CHECK_ABORTS(call)                   \
    do {                                     \
        if (sigsetjmp(back, 1) == 0) {       \
            (void)!(call);                   \
            CHECK(!"aborted: " #call);       \
        }                                    \
    } while (0)

void fortified(void)
{
    int pair[2], quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
    char buffer[8], writable[] = "%n";
    int count;
    struct timespec at_once = { 0 };
    struct pollfd look[2];

    connection(pair, NULL);
    look[0] = look[1] = (struct pollfd){ .fd = pair[1], .events = POLLIN };
    /* As much as there is room for. */
    say(pair[0], "12345678abcdefgh........");
    CHECK(__read_chk(pair[1], buffer, 8, sizeof(buffer)) == 8 && memcmp(buffer, "12345678", 8) == 0);
    CHECK(__recv_chk(pair[1], buffer, 8, sizeof(buffer), 0) == 8 && memcmp(buffer, "abcdefgh", 8) == 0);
    CHECK(__poll_chk(look, 2, 5000, sizeof(look)) == 2 && look[1].revents == POLLIN);
    CHECK(__ppoll_chk(look, 2, &at_once, NULL, sizeof(look)) == 2);
    CHECK(__recvfrom_chk(pair[1], buffer, 8, sizeof(buffer), 0, NULL, NULL) == 8);
    CHECK(__dprintf_chk(pair[0], 1, "%s", "printed") == 7);
    hear(pair[1], "printed");
    CHECK(__fdelt_chk(pair[1]) == pair[1] / NFDBITS);

    /* And more. What libc has to say of that is not for whoever reads our stderr. */
    say(pair[0], "kept");
    CHECK(quiet >= 0 && dup2(quiet, 2) == 2 && signal(SIGABRT, on_abort) != SIG_ERR);
    CHECK_ABORTS(__read_chk(pair[1], buffer, 9, sizeof(buffer)));
    CHECK_ABORTS(__recv_chk(pair[1], buffer, 9, sizeof(buffer), 0));
    CHECK_ABORTS(__recvfrom_chk(pair[1], buffer, 9, sizeof(buffer), 0, NULL, NULL));
    CHECK_ABORTS(__poll_chk(look, 2, 0, sizeof(look[0])));
    CHECK_ABORTS(__ppoll_chk(look, 2, &at_once, NULL, sizeof(look[0])));
    CHECK_ABORTS(__fdelt_chk(FD_SETSIZE));
    CHECK_ABORTS(__dprintf_chk(pair[0], 1, writable, &count));
    /* The guard came first: nothing was taken, and who goes on after all may. */
    hear(pair[1], "kept");
    say(pair[1], "unharmed");
    hear(pair[0], "unharmed");
}

/* A ring of the kernel's would work on our descriptors past us: under the shim there is none. */
void io_urings(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EUCLEAN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
    uint64_t settings[15] = { 0 }; /* struct io_uring_params */
    bool marked;
    int pair[2];

    connection(pair, NULL);
    /* Whether the kernel has any differs; what gets through to it is known by an errno of its own. */
    marked = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    if (getenv("LD_PRELOAD"))
        CHECK(syscall(SYS_io_uring_setup, 4L, settings) == -1 && errno == ENOSYS);
    else if (marked)
        CHECK(syscall(SYS_io_uring_setup, 4L, settings) == -1 && errno == EUCLEAN);
    say(pair[0], "by calls");
    hear(pair[1], "by calls");
}
