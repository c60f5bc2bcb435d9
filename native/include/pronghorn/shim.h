/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the preload shim needs beyond pronghorn.h: sockets that may be ours or the kernel's, by the
 * rules of the setting `route` (docs/legacy-programs.md).
 */
#ifndef PRONGHORN_SHIM_H
#define PRONGHORN_SHIM_H

#include <stdbool.h>

#include "pronghorn.h"

/* Reads the settings. False: nothing can be served; the reason is on stderr. */
PH_API bool ph_shim_start(void);

/* socket(2) of an unmodified program. The stacks start when its first socket is decided to be ours. */
PH_API int ph_shim_socket(int domain, int type, int protocol);

/*
 * Opening a port needs privileges that a server gives up after listen(): whoever does has its stacks
 * started before.
 */
PH_API int ph_shim_setuid(uid_t user);
PH_API int ph_shim_setreuid(uid_t real, uid_t effective);
PH_API int ph_shim_setresuid(uid_t real, uid_t effective, uid_t saved);

/* The process ends, or becomes another program: its sockets are closed, so that their peers see it. */
PH_API void ph_shim_exit(int status);
PH_API void ph_shim_quick_exit(int status);
PH_API int ph_shim_execv(const char *path, char *const *arguments);
PH_API int ph_shim_execve(const char *path, char *const *arguments, char *const *environment);
PH_API int ph_shim_execvp(const char *name, char *const *arguments);
PH_API int ph_shim_execvpe(const char *name, char *const *arguments, char *const *environment);
PH_API int ph_shim_fexecve(int fd, char *const *arguments, char *const *environment);
PH_API int ph_shim_execveat(int folder, const char *path, char *const *arguments, char *const *environment,
                            int flags);

#endif
