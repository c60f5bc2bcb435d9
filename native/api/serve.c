/* SPDX-License-Identifier: Apache-2.0 */
#include "api/serve.h"

int serve_decide(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct file *file = fd_use(fd);
    int result = 0;

    if (file && file->kind == FILE_UNDECIDED)
        result = addr ? undecided_connect(file, fd, addr, len) : undecided_serve(file, fd);
    if (file)
        file_unuse(file);
    return result;
}

#define PUT_OFF_MAX 32

static __thread volatile unsigned serve_put_off;
static __thread volatile int put_off[PUT_OFF_MAX];

bool serve_put_off_close(int fd)
{
    if (serve_put_off == PUT_OFF_MAX)
        return false;
    put_off[serve_put_off] = fd;
    serve_put_off = serve_put_off + 1;
    inside_due = true;
    return true;
}

void serve_do_put_off(void)
{
    void (*raise_signals)(void) = atomic_load_explicit(&inside_raise, memory_order_acquire);
    int error = errno;

    inside_due = false;
    if (raise_signals)
        raise_signals();
    while (serve_put_off > 0) {
        serve_put_off = serve_put_off - 1;
        inside_enter();
        fd_close(put_off[serve_put_off]);
        inside_leave();
    }
    errno = error;
}
