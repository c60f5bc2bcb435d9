/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/shared_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
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

bool shared_file_remove_stale(const char *path)
{
    int fd = lock_stale(path);
    bool removed = fd >= 0 && unlink(path) == 0;

    if (fd >= 0)
        kernel.close(fd);
    return removed;
}

/* ---- what others left ------------------------------------------------------------------------ */

/* Whether `name` is pronghorn.<digits><suffix>. */
static bool is_named(const char *name, const char *suffix)
{
    size_t prefix = strlen(SHARED_FILE_PREFIX);

    if (strncmp(name, SHARED_FILE_PREFIX, prefix) != 0 || !isdigit((unsigned char)name[prefix]))
        return false;
    for (name += prefix; isdigit((unsigned char)*name); name++)
        ;
    return strcmp(name, suffix) == 0;
}

/* Locked, so of two that sweep one notes it. False: it has an owner, or is not ours. */
static bool note_stale(const char *path, struct timespec *noted)
{
    int fd = lock_stale(path);
    struct stat about;
    bool done = fd >= 0 && fstat(fd, &about) == 0;

    if (done && (about.st_mode & S_IWUSR)) /* its owner could write: nobody was here since it died */
        done = futimens(fd, NULL) == 0 && fchmod(fd, S_IRUSR) == 0 && fstat(fd, &about) == 0;
    if (done)
        *noted = about.st_mtim;
    if (fd >= 0)
        kernel.close(fd);
    return done;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

unsigned shared_file_sweep(const char *suffix)
{
    /* The newest first. */
    struct { char path[64]; struct timespec noted; } dead[SHARED_FILE_DEAD_MAX + 1];
    unsigned count = 0, removed = 0;
    struct timespec now;
    struct dirent *entry;
    DIR *directory = opendir(SHARED_FILE_DIRECTORY);

    while (directory && (entry = readdir(directory))) {
        struct timespec noted;
        char path[sizeof(dead[0].path)];
        unsigned at;

        if (!is_named(entry->d_name, suffix) ||
            snprintf(path, sizeof(path), SHARED_FILE_DIRECTORY "/%s", entry->d_name) >= (int)sizeof(path) ||
            !note_stale(path, &noted))
            continue;
        for (at = count; at > 0 && is_before(&dead[at - 1].noted, &noted); at--)
            ;
        memmove(&dead[at + 1], &dead[at], (count - at) * sizeof(dead[0]));
        memcpy(dead[at].path, path, sizeof(path));
        dead[at].noted = noted;
        if (count < SHARED_FILE_DEAD_MAX)
            count++;
        else
            removed += shared_file_remove_stale(dead[count].path);
    }
    if (directory)
        closedir(directory);
    clock_gettime(CLOCK_REALTIME, &now);
    for (unsigned i = SHARED_FILE_KEPT; i < count; i++)
        if (now.tv_sec - dead[i].noted.tv_sec > SHARED_FILE_GRACE_S)
            removed += shared_file_remove_stale(dead[i].path);
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
