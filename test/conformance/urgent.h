/* SPDX-License-Identifier: Apache-2.0 */
/* What the scenarios of TCP's urgent data have in common. */
#ifndef TEST_CONFORMANCE_URGENT_H
#define TEST_CONFORMANCE_URGENT_H

#include "harness.h"

/* Where the mark is, and how much can be read. */
static inline void say_mark(int fd)
{
    int mark = -1, bytes = -1;

    sys.ioctl(fd, SIOCATMARK, &mark);
    sys.ioctl(fd, FIONREAD, &bytes);
    NOTE("at the mark", "%d, to be read %d", mark, bytes);
}
#define SAY_STATE(fd)   \
    do {                \
        SAY_EVENTS(fd); \
        say_mark(fd);   \
    } while (0)

/* Sends `text`, whose last byte is urgent, between what comes before and after it; all has arrived. */
static inline void give(const struct pair *p, const char *before, const char *text, const char *after)
{
    if (*before) {
        sys.send(p->client, before, strlen(before), 0);
        settle();
    }
    SAY(sys.send(p->client, text, strlen(text), MSG_OOB));
    settle();
    if (*after) {
        sys.send(p->client, after, strlen(after), 0);
        settle();
    }
}

#endif
