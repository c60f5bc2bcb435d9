/* SPDX-License-Identifier: Apache-2.0 */
#include "fd/explain.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/kernel_calls.h"

#define BYTES (sizeof(struct explain_header) + EXPLAIN_ROWS * sizeof(struct explain_row))

static struct {
    pthread_mutex_t lock;
    struct explain_header *header;
    bool tried;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct explain_row *rows(void)
{
    return (struct explain_row *)(table.header + 1);
}

/* Without it (no descriptor, no memory) nothing is explained, and nothing else is missing. */
static bool open_table(void)
{
    int fd;

    if (table.tried)
        return table.header != NULL;
    table.tried = true;
    fd = memfd_create("pronghorn-routes", MFD_CLOEXEC);
    if (fd < 0)
        return false;
    if (ftruncate(fd, BYTES) == 0) {
        void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (memory != MAP_FAILED)
            table.header = memory;
    }
    if (table.header == NULL) {
        kernel.close(fd);
        return false;
    }
    *table.header = (struct explain_header){ .magic = EXPLAIN_MAGIC,
                                             .version = EXPLAIN_VERSION,
                                             .header_bytes = sizeof(struct explain_header),
                                             .row_bytes = sizeof(struct explain_row),
                                             .rows = EXPLAIN_ROWS };
    return true;
}

void explain_note(int fd, enum route_verdict verdict, bool waiting, int type, const struct endpoint *e,
                  const char *reason)
{
    struct explain_row *row;
    struct stat about;

    if (fd < 0 || fd >= EXPLAIN_ROWS || fstat(fd, &about) < 0)
        return;
    pthread_mutex_lock(&table.lock);
    if (open_table()) {
        row = &rows()[fd];
        row->inode = 0;
        row->verdict = (uint8_t)verdict;
        row->waiting = waiting;
        row->type = (uint8_t)type;
        row->family = e ? e->family : 0;
        row->port = e ? e->port : 0;
        memset(row->address, 0, sizeof(row->address));
        if (e)
            memcpy(row->address, &e->v6, e->family == AF_INET ? 4 : 16);
        snprintf(row->reason, sizeof(row->reason), "%s", reason);
        row->inode = about.st_ino;
        if ((uint32_t)fd >= table.header->used)
            table.header->used = (uint32_t)fd + 1;
    }
    pthread_mutex_unlock(&table.lock);
}

void explain_forked(void)
{
    struct explain_header *parents = table.header;

    pthread_mutex_init(&table.lock, NULL);
    table.header = NULL;
    table.tried = false;
    /* (The parent's file stays open under its number: that may be the child's own by now.) */
    if (parents == NULL || !open_table())
        return;
    table.header->used = parents->used;
    memcpy(rows(), parents + 1, parents->used * sizeof(struct explain_row));
    munmap(parents, BYTES);
}
