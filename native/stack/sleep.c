/* SPDX-License-Identifier: Apache-2.0 */
#include "stack/sleep.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "base/inside.h"
#include "base/kernel_calls.h"

/*
 * Signals that wait for this thread to be outside are raised with all blocked, so that one that is handled here
 * ends the sleep, as if it had come a moment later.
 */
static int ppoll_and_raise(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    void (*raise_signals)(void) = atomic_load_explicit(&inside_raise, memory_order_acquire);
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    if (raise_signals)
        raise_signals();
    result = kernel.ppoll(fds, count, timeout, mask ? mask : &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

int sleep_in_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    unsigned inside = inside_pause();
    int result = LIKELY(!inside_due) ? kernel.ppoll(fds, count, timeout, mask)
                                     : ppoll_and_raise(fds, count, timeout, mask);

    inside_resume(inside);
    return result;
}

static int sleep_with(struct pollfd *fds, nfds_t count, uint64_t until_us, const sigset_t *mask)
{
    struct timespec timeout = { 0 };
    int result;

    if (until_us != UINT64_MAX) {
        uint64_t now = clock_now_us(), left = until_us > now ? until_us - now : 0;

        timeout.tv_sec = (time_t)(left / 1000000);
        timeout.tv_nsec = (long)(left % 1000000) * 1000;
    }
    result = sleep_in_ppoll(fds, count, until_us == UINT64_MAX ? NULL : &timeout, mask);
    if (result < 0)
        return errno == EINTR ? -EINTR : 0;
    return 0;
}

int sleep_on(int fd, int other_fd, uint64_t until_us)
{
    struct pollfd fds[2] = { { .fd = fd, .events = POLLIN }, { .fd = other_fd, .events = POLLIN } };

    return sleep_with(fds, other_fd >= 0 ? 2 : 1, until_us, NULL);
}

int sleep_on_all(struct pollfd *fds, nfds_t count, uint64_t until_us)
{
    return sleep_with(fds, count, until_us, NULL);
}

int sleep_masked(int fd, uint64_t until_us, const sigset_t *mask)
{
    struct pollfd only = { .fd = fd, .events = POLLIN };

    return sleep_with(&only, 1, until_us, mask);
}
