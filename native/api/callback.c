/* SPDX-License-Identifier: Apache-2.0 */
/* For event loops that tell how long their callbacks take. */
#include "api/serve.h"
#include "pronghorn.h"
#include "socket/latency.h"

unsigned ph_latency_chosen(void)
{
    return atomic_load_explicit(&latency_chosen, memory_order_relaxed);
}

static struct socket *use_socket(int fd)
{
    struct file *file = fd_use(fd);

    if (file == NULL || file->kind == FILE_SOCKET)
        return file ? socket_of(file) : NULL;
    file_unuse(file);
    return NULL;
}

uint64_t ph_callback_begin(int fd)
{
    struct socket *sock = use_socket(fd);
    uint64_t begun_ns = 0;

    if (sock == NULL)
        return 0;
    if (inside_enter()) {
        begun_ns = latency_callback_begin(sock);
        file_unuse(&sock->file);
        serve_leave();
    } else { /* a signal handler's */
        file_unuse(&sock->file);
    }
    return begun_ns;
}

void ph_callback_end(int fd, uint64_t begun)
{
    struct socket *sock = begun ? use_socket(fd) : NULL;

    latency_callback_end(sock, begun);
    if (sock)
        file_unuse(&sock->file);
}
