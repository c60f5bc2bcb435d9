/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/shared_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kernel_calls.h"

int shared_file_create(uint64_t bytes)
{
    int fd = open(SHARED_FILE_DIRECTORY, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int result;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, (off_t)bytes) == 0)
        return fd;
    result = -errno;
    kernel.close(fd);
    return result;
}

int shared_file_back(int fd, uint64_t offset, uint64_t bytes)
{
    return fallocate(fd, 0, (off_t)offset, (off_t)bytes) < 0 ? -errno : 0;
}

int shared_file_publish(int fd, const char *path)
{
    char link[32];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

bool shared_file_is_named(const char *name, const char *suffix)
{
    size_t prefix = strlen(SHARED_FILE_PREFIX);

    if (strncmp(name, SHARED_FILE_PREFIX, prefix) != 0 || !isdigit((unsigned char)name[prefix]))
        return false;
    for (name += prefix; isdigit((unsigned char)*name); name++)
        ;
    return strcmp(name, suffix) == 0;
}

/* The file locked, or -1. (The name may meanwhile be a new process's: what was locked must be it.) */
static int lock_stale(const char *path)
{
    struct stat opened, named;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        stat(path, &named) == 0 && named.st_ino == opened.st_ino)
        return fd;
    if (fd >= 0)
        kernel.close(fd);
    return -1;
}

bool shared_file_is_stale(const char *path)
{
    int fd = lock_stale(path);

    if (fd >= 0)
        kernel.close(fd);
    return fd >= 0;
}

bool shared_file_remove_stale(const char *path)
{
    int fd = lock_stale(path);
    bool removed = fd >= 0 && unlink(path) == 0;

    if (fd >= 0)
        kernel.close(fd);
    return removed;
}

/* The second field may hold spaces and brackets, so from its end on. */
uint64_t shared_file_start_ticks(void)
{
    char text[1024];
    unsigned long long ticks = 0;
    FILE *file = fopen("/proc/self/stat", "re");

    if (!file)
        return 0;
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    char *rest = strrchr(text, ')');
    if (rest)
        sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                         "%*d %llu", &ticks);
    return ticks;
}
