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
