/* SPDX-License-Identifier: Apache-2.0 */
/* The exported calls on descriptors as such: duplicates, closing many, stdio, data between two. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/kernel_calls.h"
#include "base/own_fds.h"
#include "fd/fd_table.h"
#include "pronghorn.h"

#define COPY_BYTES 65536 /* at a time, of what the kernel would have moved by reference */

static int fail(int error)
{
    errno = error;
    return -1;
}

int ph_dup(int fd)
{
    return ph_fcntl(fd, F_DUPFD, 0L);
}

/*
 * The kernel's sockets behind the numbers follow first: it says EBADF and EMFILE, and what was open as
 * `as` is closed. Another thread that uses `as` meanwhile still finds the old one in our table.
 */
static int dup_as(int fd, int as, int flags)
{
    if (fd >= FD_VIRTUAL_FIRST || as >= FD_VIRTUAL_FIRST)
        return fail(fd_is_ours(fd) ? EINVAL : EBADF);
    if (kernel.dup3(fd, as, flags) < 0)
        return -1;
    fd_copied(fd, as);
    return as;
}

int ph_dup2(int fd, int as)
{
    if (fd == as)
        return fd_is_ours(fd) || kernel.fcntl(fd, F_GETFD) >= 0 ? fd : -1;
    return dup_as(fd, as, 0);
}

int ph_dup3(int fd, int as, int flags)
{
    return fd == as ? fail(EINVAL) : dup_as(fd, as, flags);
}

/* What lies between the descriptors that the library itself needs. */
static int close_others(unsigned int first, unsigned int last, int flags)
{
    int own = flags & CLOSE_RANGE_CLOEXEC || first > INT_MAX ? -1 : own_fds_next((int)first), result = 0;

    for (; own >= 0 && (unsigned)own <= last; own = own_fds_next(own + 1)) {
        if ((unsigned)own > first)
            result = kernel.close_range(first, (unsigned)own - 1, flags);
        if (result < 0 || (unsigned)own == last)
            return result;
        first = (unsigned)own + 1;
    }
    return kernel.close_range(first, last, flags);
}

int ph_close_range(unsigned int first, unsigned int last, int flags)
{
    if (first > last || flags & ~(int)(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE))
        return fail(EINVAL);
    /* (CLOSE_RANGE_UNSHARE: a thread with a table of its own would have to have one of ours, too.) */
    if (!(flags & CLOSE_RANGE_CLOEXEC)) {
        for (int fd = fd_next((int)(first < INT_MAX ? first : INT_MAX)); fd >= 0 && (unsigned)fd <= last;
             fd = fd_next(fd + 1))
            fd_forget(fd);
    }
    return close_others(first, last, flags);
}

void ph_closefrom(int first)
{
    ph_close_range(first < 0 ? 0 : (unsigned)first, UINT_MAX, 0);
}

/* ---- stdio ---- */

static ssize_t cookie_read(void *cookie, char *buffer, size_t size)
{
    return ph_read((int)(intptr_t)cookie, buffer, size);
}

static ssize_t cookie_write(void *cookie, const char *buffer, size_t size)
{
    ssize_t written = ph_write((int)(intptr_t)cookie, buffer, size);

    return written < 0 ? 0 : written; /* fopencookie(3): never negative */
}

static int cookie_close(void *cookie)
{
    return ph_close((int)(intptr_t)cookie);
}

FILE *ph_fdopen(int fd, const char *mode)
{
    static const cookie_io_functions_t calls = { .read = cookie_read, .write = cookie_write,
                                                 .close = cookie_close };
    FILE *file;

    if (!fd_is_ours(fd))
        return kernel.fdopen(fd, mode);
    file = fopencookie((void *)(intptr_t)fd, mode, calls);
    if (file)
        file->_fileno = fd; /* for fileno(); glibc itself does not use it in such a stream */
    return file;
}

/* ---- data from one descriptor to another ---- */

/* Writes all, waiting as the descriptor does: what was written, or -1. */
static ssize_t write_all(int fd, const uint8_t *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = ph_write(fd, data + done, len - done);

        if (n < 0)
            return done ? (ssize_t)done : -1;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

ssize_t ph_sendfile(int to, int from, off_t *offset, size_t len)
{
    off_t at = offset ? *offset : lseek(from, 0, SEEK_CUR), start = at;
    ssize_t done = 0;
    uint8_t *buffer;

    if (!fd_is_ours(to))
        return kernel.sendfile(to, from, offset, len);
    if (lseek(from, 0, SEEK_CUR) < 0) /* the source must be a file (sendfile(2)) */
        return errno == ESPIPE && !offset ? fail(EINVAL) : -1;
    if (at < 0)
        return fail(EINVAL);
    buffer = malloc(len < COPY_BYTES ? len + 1 : COPY_BYTES);
    if (buffer == NULL)
        return fail(ENOMEM);
    while ((size_t)done < len) {
        size_t want = len - (size_t)done < COPY_BYTES ? len - (size_t)done : COPY_BYTES;
        ssize_t got = pread(from, buffer, want, at), put;

        if (got <= 0) {
            done = done == 0 && got < 0 ? -1 : done;
            break;
        }
        put = write_all(to, buffer, (size_t)got);
        if (put < 0) {
            done = done == 0 ? -1 : done;
            break;
        }
        done += put;
        at += put;
        if (put < got)
            break;
    }
    free(buffer);
    if (offset)
        *offset = at;
    else if (at != start)
        lseek(from, at, SEEK_SET);
    return done;
}

/* ---- splice(2): between a pipe and one of ours ---- */

#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

/* What was taken from a socket is never lost: it is written in full, whatever another writer did meanwhile. */
static ssize_t fill_pipe(int pipe, const uint8_t *data, size_t len)
{
    struct pollfd room = { .fd = pipe, .events = POLLOUT };
    size_t done = 0;

    while (done < len) {
        ssize_t n = kernel.write(pipe, data + done, len - done);

        if (n < 0 && (errno != EAGAIN || kernel.poll(&room, 1, -1) < 0) && errno != EINTR)
            return done ? (ssize_t)done : -1;
        done += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)done;
}

/* How much surely fits. A pipe that polls writable has room for PIPE_BUF bytes (pipe(7)), an empty one for all. */
static ssize_t pipe_room(int pipe, bool may_wait)
{
    struct pollfd room = { .fd = pipe, .events = POLLOUT };
    int held = 0, ready = kernel.poll(&room, 1, may_wait ? -1 : 0);

    if (ready <= 0)
        return ready < 0 ? -1 : fail(EAGAIN);
    if (kernel.ioctl(pipe, FIONREAD, &held) < 0 || held > 0)
        return PIPE_BUF;
    return kernel.fcntl(pipe, F_GETPIPE_SZ);
}

/* Whether the socket waits is its own affair; the flag is about the pipe. */
static ssize_t splice_to_pipe(int from, int pipe, size_t len, bool may_wait)
{
    uint8_t buffer[COPY_BYTES];
    ssize_t room = pipe_room(pipe, may_wait), got;

    if (room < 0)
        return -1;
    len = len < sizeof(buffer) ? len : sizeof(buffer);
    got = ph_recv(from, buffer, len < (size_t)room ? len : (size_t)room, 0);
    return got <= 0 ? got : fill_pipe(pipe, buffer, (size_t)got);
}

/* tee(2) shows what is in the pipe, so that only what was sent is taken out. */
static ssize_t splice_from_pipe(int pipe, int to, size_t len, unsigned int flags)
{
    uint8_t buffer[COPY_BYTES];
    int copy[2];
    ssize_t got;

    if (pipe2(copy, O_CLOEXEC) < 0)
        return -1;
    got = tee(pipe, copy[1], len < sizeof(buffer) ? len : sizeof(buffer), flags & SPLICE_F_NONBLOCK);
    if (got > 0)
        got = kernel.read(copy[0], buffer, (size_t)got);
    kernel.close(copy[0]);
    kernel.close(copy[1]);
    if (got <= 0)
        return got;
    got = ph_send(to, buffer, (size_t)got, flags & SPLICE_F_MORE ? MSG_MORE : 0);
    for (ssize_t left = got; left > 0;) {
        ssize_t taken = kernel.read(pipe, buffer, (size_t)left);

        if (taken <= 0)
            break;
        left -= taken;
    }
    return got;
}

ssize_t ph_splice(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned int flags)
{
    bool to_ours = fd_is_ours(to), from_ours = fd_is_ours(from);
    int pipe = to_ours ? from : to, pipe_flags;

    if (len == 0 || (!to_ours && !from_ours) || flags & ~(unsigned)SPLICE_FLAGS)
        return kernel.splice(from, from_at, to, to_at, len, flags);
    if (to_ours && from_ours)
        return fail(EINVAL);
    pipe_flags = kernel.fcntl(pipe, F_GETFL);
    if (pipe_flags < 0 || (pipe_flags & O_ACCMODE) == (to_ours ? O_WRONLY : O_RDONLY))
        return fail(EBADF);
    if (kernel.fcntl(pipe, F_GETPIPE_SZ) < 0)
        return fail(EINVAL);
    if (to_ours ? from_at : to_at)
        return fail(ESPIPE);
    if (from_at || to_at)
        return fail(EINVAL); /* a socket has no places */
    if (pipe_flags & O_NONBLOCK)
        flags |= SPLICE_F_NONBLOCK;
    return to_ours ? splice_from_pipe(pipe, to, len, flags)
                   : splice_to_pipe(from, pipe, len, !(flags & SPLICE_F_NONBLOCK));
}
