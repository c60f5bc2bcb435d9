/* SPDX-License-Identifier: Apache-2.0 */
#include "stack/sleep.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "base/inside.h"
#include "base/kernel_calls.h"

static int sleep_with(int fd, int other_fd, uint64_t until_us, const sigset_t *mask)
{
    struct pollfd fds[2] = { { .fd = fd, .events = POLLIN }, { .fd = other_fd, .events = POLLIN } };
    struct timespec timeout = { 0 };
    unsigned inside;
    int result;

    if (until_us != UINT64_MAX) {
        uint64_t now = clock_now_us(), left = until_us > now ? until_us - now : 0;

        timeout.tv_sec = (time_t)(left / 1000000);
        timeout.tv_nsec = (long)(left % 1000000) * 1000;
    }
    inside = inside_pause();
    result = kernel.ppoll(fds, other_fd >= 0 ? 2 : 1, until_us == UINT64_MAX ? NULL : &timeout, mask);
    inside_resume(inside);
    if (result < 0)
        return errno == EINTR ? -EINTR : 0;
    return 0;
}

int sleep_on(int fd, int other_fd, uint64_t until_us)
{
    return sleep_with(fd, other_fd, until_us, NULL);
}

int sleep_masked(int fd, uint64_t until_us, const sigset_t *mask)
{
    return sleep_with(fd, -1, until_us, mask);
}
