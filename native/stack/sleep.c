/* SPDX-License-Identifier: Apache-2.0 */
#include "stack/sleep.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "base/kernel_calls.h"

int sleep_on(int fd, int other_fd, uint64_t until_us)
{
    struct pollfd fds[2] = { { .fd = fd, .events = POLLIN }, { .fd = other_fd, .events = POLLIN } };
    struct timespec timeout = { 0 };

    if (until_us != UINT64_MAX) {
        uint64_t now = clock_now_us(), left = until_us > now ? until_us - now : 0;

        timeout.tv_sec = (time_t)(left / 1000000);
        timeout.tv_nsec = (long)(left % 1000000) * 1000;
    }
    if (kernel.ppoll(fds, other_fd >= 0 ? 2 : 1, until_us == UINT64_MAX ? NULL : &timeout, NULL) < 0)
        return errno == EINTR ? -EINTR : 0;
    return 0;
}
