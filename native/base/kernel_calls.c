/* SPDX-License-Identifier: Apache-2.0 */
#include "base/kernel_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

struct kernel_calls kernel;

/* Stands in for any function of the table: by the C calling conventions that we support, arguments
 * that are not looked at do no harm, and -1 reads as -1 in each of the result types. */
static long not_in_this_libc(void)
{
    errno = ENOSYS;
    return -1;
}

static void resolve(const char *name, void *slot)
{
    /* Under our preload shim: from the libraries behind it, wherever we ourselves were loaded. */
    void *(*next)(const char *) = (void *(*)(const char *))dlsym(RTLD_DEFAULT, "pronghorn_preload_next");
    void *function = next ? next(name) : dlsym(RTLD_NEXT, name);

    if (!function)
        function = (void *)not_in_this_libc;
    /* POSIX lets a function pointer travel through void *; ISO C has no cast for it. */
    memcpy(slot, &function, sizeof(function));
}

__attribute__((constructor(101))) void kernel_calls_resolve(void)
{
    if (kernel.syscall)
        return;
#define KERNEL_CALL(result, name, parameters) resolve(#name, &kernel.name);
#include "base/kernel_calls.def"
#undef KERNEL_CALL
}
