/* SPDX-License-Identifier: Apache-2.0 */
#include "fd/epoll_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "base/kernel_calls.h"
#include "base/lock.h"
#include "fd/epoll.h"
#include "fd/epoll_marker.h"
#include "fd/fd_table.h"
#include "fd/undecided.h"

/* One of ours for the kernel's epoll `epfd`, with one user more; NULL and *error: no. */
static struct file *adopt(int epfd, int *error)
{
    static struct lock adopting;
    struct file *file;

    lock_take(&adopting);
    file = fd_use(epfd);
    if (file == NULL) {
        /* A duplicate: the program may close its number while it has another for the same epoll. */
        int copy = kernel.fcntl(epfd, F_DUPFD_CLOEXEC, 0);

        *error = copy < 0 ? -errno : epoll_create_file(copy, &file);
        if (*error < 0 && copy >= 0)
            kernel.close(copy);
        if (*error == 0)
            *error = fd_adopt(epfd, file) ? 0 : -EMFILE;
        if (*error == 0) /* from here on nobody goes to sleep there any more: wake those who did */
            epoll_marker_add(copy);
        file = *error == 0 ? fd_use(epfd) : NULL;
    }
    lock_give(&adopting);
    return file;
}

static int control_kernels(int epfd, int op, int fd, struct epoll_event *event, struct file *target)
{
    int result = kernel.epoll_ctl(epfd, op, fd, event) < 0 ? -errno : 0;

    if (result == 0 && target)
        undecided_watch(target, op, epfd, fd, event);
    return result;
}

static int control(int epfd, int op, int fd, struct epoll_event *event, struct file *target)
{
    struct file *file = fd_use(epfd);
    bool ours = target && target->kind != FILE_UNDECIDED;
    int result = 0;

    if (file == NULL && epfd >= FD_VIRTUAL_FIRST)
        return -EBADF;
    if (file == NULL && ours && op == EPOLL_CTL_ADD) {
        /* Only if it is an epoll: the kernel's own answer otherwise (EINVAL, EBADF, ELOOP). */
        if (kernel.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL) < 0 && errno != ENOENT)
            return -errno;
        file = adopt(epfd, &result);
        if (file == NULL)
            return result;
    }
    if (file == NULL)
        return control_kernels(epfd, op, fd, event, ours ? NULL : target);
    if (file->kind == FILE_EPOLL) {
        result = epoll_control(file, op, fd, ours ? target : NULL, event);
        if (result == 0 && target && !ours)
            undecided_watch(target, op, epfd, fd, event);
    } else { /* the order is that of the kernel's do_epoll_ctl() */
        result = target || kernel.fcntl(fd, F_GETFD) >= 0 ? -EINVAL : -EBADF;
    }
    file_unuse(file);
    return result;
}

int epoll_control_fd(int epfd, int op, int fd, struct epoll_event *event)
{
    struct file *target;
    int result;

    if (op != EPOLL_CTL_DEL && event == NULL)
        return -EFAULT;
    if (op == EPOLL_CTL_ADD)
        fd_serve(fd);
    target = fd_use(fd);
    if (target == NULL && fd >= FD_VIRTUAL_FIRST)
        return -EBADF;
    result = control(epfd, op, fd, event, target);
    if (target)
        file_unuse(target);
    return result;
}

void epoll_move(int epfd, int fd, struct epoll_event *event)
{
    struct file *file = fd_use(epfd);

    /* Where an epoll of ours has it among the kernel's, it goes by a NULL target. */
    if (file && file->kind == FILE_EPOLL)
        epoll_control(file, EPOLL_CTL_DEL, fd, NULL, event);
    else
        kernel.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, event);
    if (file)
        file_unuse(file);
    epoll_control_fd(epfd, EPOLL_CTL_ADD, fd, event);
}
