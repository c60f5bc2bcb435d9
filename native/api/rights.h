/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors in a control message (SCM_RIGHTS, unix(7)). */
#ifndef API_RIGHTS_H
#define API_RIGHTS_H

#include <sys/socket.h>

/*
 * A message that is about to go through the kernel: 0, or -EOPNOTSUPP if it hands over a socket of
 * ours, which another process could not use. Undecided ones become the kernel's; of both sides the
 * kernel's half goes.
 */
int rights_check(const struct msghdr *msg);

#endif
