/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in /dev/shm that belong to one process and that others read. One appears complete, in one
 * moment. Its owner holds an flock() on it, so one that can be locked has no owner: it is a killed
 * process's (this holds across pid namespaces, which pids do not).
 *
 * What a killed process leaves tells why it died, and whoever restarts it at once must not take that
 * away: a start only notes it (read-only from then on, its time the one at which it was noted). It goes
 * after SHARED_FILE_GRACE_S unless it is among the newest SHARED_FILE_KEPT; more than SHARED_FILE_DEAD_MAX
 * never stay.
 */
#ifndef STATS_SHARED_FILE_H
#define STATS_SHARED_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define SHARED_FILE_DIRECTORY "/dev/shm"
#define SHARED_FILE_PREFIX "pronghorn."
#define SHARED_FILE_KEPT 4
#define SHARED_FILE_GRACE_S 60
#define SHARED_FILE_DEAD_MAX 16

/* A locked file without a name, of holes. The descriptor, which keeps the lock, or -errno. */
int shared_file_create(uint64_t bytes);

/* Memory for a part, so that a full /dev/shm is an error here and not a SIGBUS later. 0 or -errno. */
int shared_file_back(int fd, uint64_t offset, uint64_t bytes);

/* 0, or -errno: -EEXIST when it has the name of another. */
int shared_file_publish(int fd, const char *path);

/* If it has no owner. Not ours to open (another user's): not ours to tell, or to remove. */
bool shared_file_remove_stale(const char *path);

/* Of those with this suffix that have no owner: notes them, and removes the old ones. How many went. */
unsigned shared_file_sweep(const char *suffix);

/* Field 22 of /proc/self/stat: tells a pid that is used again. */
uint64_t shared_file_start_ticks(void);

#endif
