/* SPDX-License-Identifier: Apache-2.0 */
/* The exported calls that wait: poll, select, epoll. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "api/life.h"
#include "api/serve.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/kernel_calls.h"
#include "fd/epoll.h"
#include "fd/epoll_fd.h"
#include "fd/epoll_marker.h"
#include "fd/fd_table.h"
#include "fd/poll.h"
#include "pronghorn.h"

static int result_of(int result)
{
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

/* 0: don't wait; UINT64_MAX: for ever. */
static uint64_t deadline_of_ms(int timeout_ms)
{
    if (timeout_ms == 0)
        return 0;
    return timeout_ms < 0 ? UINT64_MAX : clock_now_ns() + (uint64_t)timeout_ms * 1000000;
}

static int deadline_of_timespec(const struct timespec *timeout, uint64_t *deadline_ns)
{
    if (timeout == NULL) {
        *deadline_ns = UINT64_MAX;
        return 0;
    }
    if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000)
        return -EINVAL;
    *deadline_ns = timeout->tv_sec == 0 && timeout->tv_nsec == 0
                       ? 0
                       : clock_now_ns() + (uint64_t)timeout->tv_sec * 1000000000u +
                             (uint64_t)timeout->tv_nsec;
    return 0;
}

static bool any_of_ours(const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        if (fd_is_ours(fds[i].fd))
            return true;
    }
    return false;
}

static int wait_inside(struct pollfd *fds, nfds_t count, uint64_t deadline_ns, const sigset_t *mask)
{
    int result;

    if (UNLIKELY(!inside_enter()))
        return -EAGAIN;
    result = poll_wait(fds, count, deadline_ns, mask);
    serve_leave();
    return result;
}

int ph_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    uint64_t deadline;
    int result;

    if (!any_of_ours(fds, count))
        return kernel.ppoll(fds, count, timeout, mask);
    result = deadline_of_timespec(timeout, &deadline);
    return result_of(result < 0 ? result : wait_inside(fds, count, deadline, mask));
}

int ph_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (!any_of_ours(fds, count))
        return kernel.poll(fds, count, timeout_ms);
    return result_of(wait_inside(fds, count, deadline_of_ms(timeout_ms), NULL));
}

static bool any_in_sets(int count, const fd_set *in, const fd_set *out, const fd_set *except)
{
    for (int fd = 0; fd < count; fd++) {
        if (((in && FD_ISSET(fd, in)) || (out && FD_ISSET(fd, out)) ||
             (except && FD_ISSET(fd, except))) && fd_is_ours(fd))
            return true;
    }
    return false;
}

int ph_pselect(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
               const sigset_t *mask)
{
    uint64_t deadline;
    int result;

    if (!any_in_sets(count, in, out, except))
        return kernel.pselect(count, in, out, except, timeout, mask);
    result = deadline_of_timespec(timeout, &deadline);
    if (result == 0 && UNLIKELY(!inside_enter()))
        result = -EAGAIN;
    if (result == 0) {
        result = select_wait(count, in, out, except, deadline, mask);
        serve_leave();
    }
    return result_of(result);
}

int ph_select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    struct timespec copy;
    uint64_t end_ns = 0;
    int result;

    if (!any_in_sets(count, in, out, except))
        return kernel.select(count, in, out, except, timeout);
    if (timeout) {
        if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
            return result_of(-EINVAL);
        copy = (struct timespec){ .tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000,
                                  .tv_nsec = timeout->tv_usec % 1000000 * 1000 };
        end_ns = clock_now_ns() + (uint64_t)copy.tv_sec * 1000000000u + (uint64_t)copy.tv_nsec;
    }
    result = ph_pselect(count, in, out, except, timeout ? &copy : NULL, NULL);
    if (timeout) { /* Linux tells how much time was left (select(2)) */
        uint64_t now = clock_now_ns(), left = end_ns > now ? end_ns - now : 0;

        timeout->tv_sec = (time_t)(left / 1000000000u);
        timeout->tv_usec = (suseconds_t)(left % 1000000000u / 1000);
    }
    return result;
}

/* ---- epoll ---- */

int ph_epoll_create1(int flags)
{
    struct file *file;
    int result;

    if (flags & ~EPOLL_CLOEXEC)
        return result_of(-EINVAL);
    result = life_ensure();
    if (result == 0)
        result = epoll_create_file(-1, &file);
    if (result == 0) {
        result = fd_install(file, (flags & EPOLL_CLOEXEC) != 0);
        if (result < 0)
            file_unuse(file);
    }
    return result_of(result);
}

/* The epoll of `epfd` with one user more. NULL: 0 in *error: the kernel's. */
static struct file *use_epoll(int epfd, int *error)
{
    struct file *file = fd_use(epfd);

    *error = 0;
    if (file == NULL) {
        if (epfd >= FD_VIRTUAL_FIRST)
            *error = -EBADF;
        return NULL;
    }
    if (file->kind != FILE_EPOLL) {
        file_unuse(file);
        *error = -EINVAL;
        return NULL;
    }
    return file;
}

int ph_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    int result;

    if (UNLIKELY(!inside_enter()))
        return result_of(-EAGAIN);
    result = epoll_control_fd(epfd, op, fd, event);
    serve_leave();
    return result_of(result);
}

static int collect(int epfd, struct epoll_event *events, int max, uint64_t deadline_ns,
                   const sigset_t *mask)
{
    struct file *file;
    int result;

    file = use_epoll(epfd, &result);
    if (file == NULL)
        return result;
    if (LIKELY(inside_enter())) {
        result = epoll_collect(file, events, max, deadline_ns, mask);
        file_unuse(file);
        serve_leave();
    } else {
        result = -EAGAIN;
        file_unuse(file);
    }
    return result;
}

/*
 * While this thread slept in the kernel's epoll, another added a socket of ours to it. What is left of
 * `count` events without the one that says so; 0: go on with all (the whole time-out once more).
 */
static int woken_to_ours(int epfd, struct epoll_event *events, int count)
{
    int kept = 0;

    for (int i = 0; i < count; i++) {
        if (epoll_is_marker(&events[i]))
            epoll_marker_pass(epfd);
        else
            events[kept++] = events[i];
    }
    return count < 0 ? count : kept;
}

int ph_epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout_ms,
                   const sigset_t *mask)
{
    if (!fd_is_ours(epfd) && epfd < FD_VIRTUAL_FIRST) {
        int count = 0;

        epoll_sleep_begin(epfd);
        if (LIKELY(!fd_is_ours(epfd)))
            count = kernel.epoll_pwait(epfd, events, max, timeout_ms, mask);
        epoll_sleep_end(epfd);
        if (LIKELY(!fd_is_ours(epfd)) || (count = woken_to_ours(epfd, events, count)) != 0)
            return count;
    }
    return result_of(collect(epfd, events, max, deadline_of_ms(timeout_ms), mask));
}

int ph_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
    return ph_epoll_pwait(epfd, events, max, timeout_ms, NULL);
}

int ph_epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
                    const sigset_t *mask)
{
    uint64_t deadline;
    int result;

    if (!fd_is_ours(epfd) && epfd < FD_VIRTUAL_FIRST) {
        int count = 0;

        epoll_sleep_begin(epfd);
        if (LIKELY(!fd_is_ours(epfd)))
            count = kernel.epoll_pwait2(epfd, events, max, timeout, mask);
        epoll_sleep_end(epfd);
        if (LIKELY(!fd_is_ours(epfd)) || (count = woken_to_ours(epfd, events, count)) != 0)
            return count;
    }
    result = deadline_of_timespec(timeout, &deadline);
    return result_of(result < 0 ? result : collect(epfd, events, max, deadline, mask));
}

int ph_epoll_fd(int epfd)
{
    struct file *file;
    int result;

    file = use_epoll(epfd, &result);
    if (file == NULL)
        return result < 0 ? result_of(result) : epfd;
    result = epoll_kernel_fd(file);
    file_unuse(file);
    return result;
}

int ph_epoll_prepare(int epfd, uint64_t *timeout_us)
{
    struct file *file;
    int result;

    *timeout_us = UINT64_MAX;
    file = use_epoll(epfd, &result);
    if (file == NULL)
        return result < 0 ? result_of(result) : 0;
    result = epoll_prepare(file, timeout_us);
    file_unuse(file);
    return result;
}
