/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rights.h"

#include <errno.h>
#include <string.h>

#include "fd/fd_table.h"
#include "fd/undecided.h"

static int check(int fd)
{
    struct file *file = fd_use(fd);
    int result = 0;

    if (file == NULL)
        return 0;
    if (file->kind == FILE_UNDECIDED)
        undecided_leave(file, fd, "handed over to another process");
    else if (file->kind == FILE_SOCKET && !file->kernel_side)
        result = -EOPNOTSUPP;
    file_unuse(file);
    return result;
}

int rights_check(const struct msghdr *msg)
{
    if (msg == NULL || msg->msg_control == NULL)
        return 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c)) {
        size_t count = c->cmsg_len > CMSG_LEN(0) ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd, result;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            result = check(fd);
            if (result < 0)
                return result;
        }
    }
    return 0;
}
