/* SPDX-License-Identifier: Apache-2.0 */
#include "console/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/kernel_calls.h"

void *output_take(struct output *out, size_t count)
{
    if (out->start > 0 && out->end + count > out->size) {
        memmove(out->bytes, out->bytes + out->start, output_waiting(out));
        out->end -= out->start;
        out->start = 0;
    }
    if (out->end + count > out->size) {
        size_t size = (out->end + count) * 2;
        char *bytes = realloc(out->bytes, size);

        if (bytes == NULL)
            return NULL;
        out->bytes = bytes;
        out->size = size;
    }
    out->end += count;
    return out->bytes + out->end - count;
}

int output_send(struct output *out, int fd)
{
    while (output_waiting(out) > 0) {
        ssize_t sent = kernel.send(fd, out->bytes + out->start, output_waiting(out), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        out->start += (size_t)sent;
    }
    out->start = out->end = 0;
    return 0;
}

void output_free(struct output *out)
{
    free(out->bytes);
    memset(out, 0, sizeof(*out));
}
