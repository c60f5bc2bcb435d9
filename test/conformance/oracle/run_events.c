/* SPDX-License-Identifier: Apache-2.0 */
/* poll(), select(), epoll, and the eventfd that stands for the kernel's descriptors among ours. */
#include "show.h"
#include "slots.h"

/* Ours and the kernel's in one set, and numbers that are nobody's. */
static void poll_all(short events)
{
    static const struct timespec none;
    struct pollfd all[SLOTS];

    for (int i = 0; i < SLOTS; i++)
        all[i] = (struct pollfd){ .fd = slots[i].fd, .events = events };
    if (!say(sys.ppoll(all, SLOTS, &none, NULL)))
        return;
    for (int i = 0; i < SLOTS; i++) {
        if (all[i].revents)
            fprintf(trace, " s%d:%s", i, event_names((uint16_t)all[i].revents));
    }
}

void step_poll(const struct step *s)
{
    struct pollfd p = { .fd = number(s->slot), .events = (short)s->a };

    if (s->b) {
        poll_all((short)s->a);
        return;
    }
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
    /* The kernel wakes who watches an epoll by EPOLLIN alone. */
    if (s->other < SLOTS && slots[s->other].holds == EPOLL && (s->b & EPOLLRDNORM))
        event.events |= EPOLLIN;
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
    static const struct timespec none;
    int count = s->b == 0   ? sys.epoll_wait(number(s->slot), got, s->a, 0)
                : s->b == 1 ? sys.epoll_pwait(number(s->slot), got, s->a, 0, NULL)
                            : sys.epoll_pwait2(number(s->slot), got, s->a, &none, NULL);

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
