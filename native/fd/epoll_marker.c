/* SPDX-License-Identifier: Apache-2.0 */
#include "fd/epoll_marker.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "base/kernel_calls.h"

#define SLEEPERS 65536

static int marker_fd = -1;
static _Atomic uint16_t sleepers[SLEEPERS]; /* by the epoll's number; resident as far as it is used */

void epoll_sleep_begin(int program_epfd)
{
    if ((unsigned)program_epfd < SLEEPERS)
        atomic_fetch_add(&sleepers[program_epfd], 1);
}

void epoll_sleep_end(int program_epfd)
{
    if ((unsigned)program_epfd < SLEEPERS)
        atomic_fetch_sub(&sleepers[program_epfd], 1);
}

static void control(int kernel_epfd, int op)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = (uintptr_t)&marker_fd };

    kernel.epoll_ctl(kernel_epfd, op, marker_fd, &event);
}

void epoll_marker_add(int kernel_epfd)
{
    if (marker_fd < 0)
        marker_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    control(kernel_epfd, EPOLL_CTL_ADD);
}

void epoll_marker_pass(int kernel_epfd)
{
    control(kernel_epfd, EPOLL_CTL_MOD);
}

bool epoll_is_marker(const struct epoll_event *event)
{
    return event->data.u64 == (uintptr_t)&marker_fd;
}

int epoll_without_marker(struct epoll_event *events, int count, int kernel_epfd, int program_epfd)
{
    int kept = 0;

    for (int i = 0; i < count; i++)
        if (!epoll_is_marker(&events[i]))
            events[kept++] = events[i];
    if (kept < count && (unsigned)program_epfd < SLEEPERS && atomic_load(&sleepers[program_epfd]) > 0)
        epoll_marker_pass(kernel_epfd);
    return kept;
}
