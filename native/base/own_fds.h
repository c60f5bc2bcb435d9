/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_fds: descriptors of the kernel's that the library itself needs (doorbells, devices). A program that
 * closes all but its own, closefrom(3), knows nothing of them: they are left open. Any thread.
 */
#ifndef BASE_OWN_FDS_H
#define BASE_OWN_FDS_H

void own_fds_add(int fd);
void own_fds_remove(int fd);
/* The first at or after `fd`, or -1. */
int own_fds_next(int fd);

/* Around what opens descriptors out of our sight (devices): those that are new in between are ours. */
void own_fds_look(void);
void own_fds_take_new(void);

/* In a child: they are the parent's. */
void own_fds_forked(void);

#endif
