/* SPDX-License-Identifier: Apache-2.0 */
/* sendfile() and splice(): between a socket and a file or a pipe. */
#include <linux/sockios.h>
#include <sys/mman.h>

#include "show.h"
#include "slots.h"

#define FILE_BYTES 70000

static uint8_t buffer[FILE_BYTES];

static void fill_letters(int bytes)
{
    for (int i = 0; i < bytes; i++)
        buffer[i] = (uint8_t)('A' + i % 26);
}

/* Of letters, for the length of a step: its descriptors are as many in both worlds. */
static int letters(void)
{
    int fd = memfd_create("letters", MFD_CLOEXEC);

    fill_letters(FILE_BYTES);
    if (fd < 0 || write(fd, buffer, FILE_BYTES) != FILE_BYTES || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}

/*
 * From the letters, at b (-1: where they stand), or from what another slot holds. Left out: a datagram of two pages,
 * which the kernel makes of pieces, and may keep as if MSG_MORE had been said.
 */
static void step_sendfile(const struct step *s)
{
    off_t at = s->b < 0 || slots[s->slot].stream ? s->b : s->b & ~4095;
    int file = letters(), from = s->other == NOWHERE ? file : number(s->other);
    long long n;

    /* (An eventfd is no file: the kernel's errno is that of who reads it.) */
    if (s->other == NOWHERE || slots[s->other].holds == SOCKET) {
        n = sys.sendfile(number(s->slot), from, s->b < 0 ? NULL : &at, (size_t)s->a);
        say(n);
        fprintf(trace, " offset %lld file at %lld", (long long)at, (long long)lseek(file, 0, SEEK_CUR));
    }
    close(file);
}

static void say_pipe(int fd)
{
    ssize_t n = read(fd, buffer, sizeof(buffer));

    fprintf(trace, " in the pipe:");
    if (n > 0)
        say_bytes(buffer, n);
}

/* Left out: at the mark the kernel's splice() stays before the urgent byte for good, even if that was read. */
static bool is_at_mark(const struct step *s)
{
    int mark = 0;

    return s->op == OP_SPLICE_IN && slots[s->slot].stream && sys.ioctl(number(s->slot), SIOCATMARK, &mark) == 0 && mark;
}

/* c: 1, an offset for the socket; 2, one for the pipe. */
static void step_splice(const struct step *s)
{
    off_t at = 0, *socket_at = s->c == 1 ? &at : NULL, *pipe_at = s->c == 2 ? &at : NULL;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        abort();
    if (s->op == OP_SPLICE_IN) {
        say(sys.splice(number(s->slot), socket_at, fds[1], pipe_at, (size_t)s->a, (unsigned)s->b));
    } else {
        fill_letters(s->a);
        if (s->a > 0 && write(fds[1], buffer, (size_t)s->a) != s->a)
            abort();
        say(sys.splice(fds[0], pipe_at, number(s->slot), socket_at, (size_t)s->a + 1, (unsigned)s->b));
    }
    say_pipe(fds[0]);
    close(fds[0]);
    close(fds[1]);
}

void step_file(const struct step *s)
{
    if (slots[s->slot].holds == EVENTFD || slots[s->slot].holds == EPOLL)
        return;
    if (s->op == OP_SENDFILE)
        step_sendfile(s);
    else if (!is_at_mark(s))
        step_splice(s);
}
