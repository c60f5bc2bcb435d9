/* SPDX-License-Identifier: Apache-2.0 */
/* poll(), select(), epoll, and the eventfd that stands for the kernel's descriptors among ours. */
#include "show.h"
#include "slots.h"

void step_poll(const struct step *s)
{
    struct pollfd p = { .fd = number(s->slot), .events = (short)s->a };

    if (say(sys.poll(&p, 1, 0)))
        fprintf(trace, " %s", event_names((uint16_t)p.revents));
}

void step_select(void)
{
    fd_set in, out, except;
    struct timeval none = { 0 };
    int top = -1;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].fd < 0 || slots[i].fd >= FD_SETSIZE)
            continue;
        FD_SET(slots[i].fd, &in);
        FD_SET(slots[i].fd, &out);
        FD_SET(slots[i].fd, &except);
        top = slots[i].fd > top ? slots[i].fd : top;
    }
    if (!say(sys.select(top + 1, &in, &out, &except, &none)))
        return;
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].fd < 0 || slots[i].fd >= FD_SETSIZE)
            continue;
        fprintf(trace, " s%d:%s%s%s", i, FD_ISSET(slots[i].fd, &in) ? "r" : "",
                FD_ISSET(slots[i].fd, &out) ? "w" : "", FD_ISSET(slots[i].fd, &except) ? "x" : "");
    }
}

void step_epoll_control(const struct step *s)
{
    struct epoll_event event = { .events = (uint32_t)s->b, .data.u64 = s->other };

    /* The kernel's edges tell after each datagram that it is gone, whatever room there was: no use to anybody. */
    if (s->other < SLOTS && slots[s->other].holds == SOCKET && !slots[s->other].stream && (s->b & (int)EPOLLET))
        event.events &= ~(uint32_t)(EPOLLOUT | EPOLLWRNORM);
    say(sys.epoll_ctl(number(s->slot), s->a, number(s->other), &event));
}

static int by_data(const void *a, const void *b)
{
    const struct epoll_event *x = a, *y = b;

    return x->data.u64 < y->data.u64 ? -1 : x->data.u64 > y->data.u64;
}

void step_epoll_wait(const struct step *s)
{
    struct epoll_event got[32];
    int count = sys.epoll_wait(number(s->slot), got, s->a, 0);

    if (!say(count))
        return;
    qsort(got, (size_t)count, sizeof(got[0]), by_data);
    for (int i = 0; i < count; i++)
        fprintf(trace, " [s%d %s]", (int)got[i].data.u64, event_names(got[i].events));
}

void step_eventfd(const struct step *s)
{
    uint64_t number_of = 1;

    if (slots[s->slot].holds != EVENTFD)
        return;
    if (s->op == OP_EVENTFD_WRITE)
        say(sys.write(number(s->slot), &number_of, 8));
    else
        say(sys.read(number(s->slot), &number_of, 8));
}

void say_all_events(void)
{
    for (int i = 0; i < SLOTS; i++) {
        struct pollfd p = { .fd = slots[i].fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP };

        if (slots[i].holds != SOCKET && slots[i].holds != EPOLL)
            continue;
        sys.poll(&p, 1, 0);
        fprintf(trace, " | s%d %s", i, event_names((uint16_t)p.revents));
    }
}
