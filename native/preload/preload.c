/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The preload shim: libc's calls on descriptors, each one jump away from the core or from libc.
 *
 * Every interposed function jumps through a pointer of its own. It points first at a stub that looks
 * libc's functions up (so that a call before main, or before our own constructors, works), then at
 * libc's function, and, from the first socket on that may be ours, at the core's, which passes on what
 * is not ours. Which sockets those are is the core's business (fd/route.h); a program that makes no
 * TCP or UDP socket never loads it. No function here takes a lock; a socket waits while the core loads.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define CORE "libpronghorn.so"

typedef void (*any_function)(void);

/* ---- the pointers ---- */

#define CALL(result, name, core, parameters, arguments)       \
    static result first_##name parameters;                    \
    static result(*volatile to_##name) parameters = first_##name;
#include "preload/symbols.def"

static int first_socket(int domain, int type, int protocol);
static int (*volatile to_socket)(int domain, int type, int protocol) = first_socket;
static int (*core_socket)(int domain, int type, int protocol);
static FILE *(*core_fdopen)(int fd, const char *mode);
static long (*libc_syscall)(long number, ...);
static pid_t (*libc_fork)(void);
static FILE *(*libc_fdopen)(int fd, const char *mode);
static int (*libc_socket)(int domain, int type, int protocol);

/* For the core, which must not get our functions: libc's, or another shim's behind us. */
EXPORT void *pronghorn_preload_next(const char *name);
void *pronghorn_preload_next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void missing(void)
{
    fputs("pronghorn: this libc lacks a function that the program calls\n", stderr);
    abort();
}

static any_function next(const char *name)
{
    any_function function = (any_function)dlsym(RTLD_NEXT, name);

    return function ? function : missing;
}

static int socket_or_core(int domain, int type, int protocol);

/* Several threads may come here together: the slowest must not undo what load() has set meanwhile. */
#define SETTLE(to, first, function)                                                                      \
    do {                                                                                                  \
        __typeof__(&*(first)) expected = (first);                                                         \
        __atomic_compare_exchange_n(&(to), &expected, (__typeof__(expected))(function), false,            \
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                  \
    } while (0)

static void resolve(void)
{
    libc_socket = (__typeof__(libc_socket))next("socket");
    libc_syscall = (__typeof__(libc_syscall))next("syscall");
    libc_fork = (__typeof__(libc_fork))next("fork");
    libc_fdopen = (__typeof__(libc_fdopen))next("fdopen");
#define CALL(result, name, core, parameters, arguments) \
    SETTLE(to_##name, first_##name, next(#name));
#include "preload/symbols.def"
    SETTLE(to_socket, first_socket, socket_or_core);
}

#define CALL(result, name, core, parameters, arguments) \
    static result first_##name parameters               \
    {                                                   \
        resolve();                                      \
        return to_##name arguments;                     \
    }
#include "preload/symbols.def"

static int first_socket(int domain, int type, int protocol)
{
    resolve();
    return to_socket(domain, type, protocol);
}

/* ---- the core ---- */

/* Once. False: there is none; the reason is on stderr, and all goes on with libc. */
static bool load(void)
{
    void *core = dlopen(CORE, RTLD_NOW | RTLD_LOCAL);
    bool (*ready)(void) = core ? (bool (*)(void))dlsym(core, "ph_shim_start") : NULL;

    if (ready == NULL) {
        fprintf(stderr, "pronghorn: nothing is accelerated: %s\n", dlerror());
        return false;
    }
    if (!ready())
        return false;
    core_socket = (__typeof__(core_socket))dlsym(core, "ph_shim_socket");
    core_fdopen = (__typeof__(core_fdopen))dlsym(core, "ph_fdopen");
#define CALL(result, name, function, parameters, arguments) \
    to_##name = (result(*) parameters)dlsym(core, #function);
#include "preload/symbols.def"
    return true;
}

/* Whether the core is loaded: 0 nobody asked yet, the id of the thread that is at it, or LOADED. A futex. */
#define LOADED (-1)
static _Atomic int loading;
static pid_t loading_process;

/*
 * A thread that comes while another loads waits for it, or its socket would be the kernel's for good.
 * False: what the loading thread itself makes is libc's, and so is all in a child forked meanwhile.
 */
static bool wait_for_core(int self)
{
    int state;

    while ((state = loading) != LOADED) {
        if (state == self || loading_process != getpid())
            return false;
        libc_syscall(SYS_futex, &loading, FUTEX_WAIT_PRIVATE, state, NULL, NULL, 0);
    }
    return true;
}

static int socket_or_core(int domain, int type, int protocol)
{
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), none = 0, error = errno, self;

    if ((domain != AF_INET && domain != AF_INET6) || (kind != SOCK_STREAM && kind != SOCK_DGRAM))
        return libc_socket(domain, type, protocol);
    self = (int)libc_syscall(SYS_gettid);
    if (loading == 0)
        loading_process = getpid(); /* before a thread can be said to be at it */
    if (__atomic_compare_exchange_n(&loading, &none, self, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        to_socket = load() ? core_socket : libc_socket;
        loading = LOADED;
        libc_syscall(SYS_futex, &loading, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    } else if (!wait_for_core(self)) {
        return libc_socket(domain, type, protocol);
    }
    errno = error;
    return to_socket(domain, type, protocol);
}

/* ---- the interposed functions ---- */

#define CALL(result, name, core, parameters, arguments)          \
    EXPORT result shim_##name parameters __asm__(#name);         \
    result shim_##name parameters                                \
    {                                                            \
        return to_##name arguments;                              \
    }
#include "preload/symbols.def"

extern void __chk_fail(void) __attribute__((noreturn));

#define to(core) CHECKED_##core
#define CHECKED_ph_read to_read
#define CHECKED_ph_recv to_recv
#define CHECKED_ph_recvfrom to_recvfrom
#define CHECKED_ph_poll to_poll
#define CHECKED_ph_ppoll to_ppoll
#define CHECKED(result, name, core, parameters, arguments, wanted, room) \
    EXPORT result shim_##name parameters __asm__(#name);                 \
    result shim_##name parameters                                        \
    {                                                                    \
        if ((wanted) > (room))                                           \
            __chk_fail();                                                \
        return CHECKED_##core arguments;                                 \
    }
#include "preload/symbols.def"

EXPORT int shim_socket(int domain, int type, int protocol) __asm__("socket");
int shim_socket(int domain, int type, int protocol)
{
    return to_socket(domain, type, protocol);
}

/*
 * A vfork() child works in its parent's memory until it calls exec: its close() would take the
 * parent's sockets out of the tables. POSIX allows vfork() to be fork(). (posix_spawn(), popen() and
 * system() use none of these functions and stay as they are.)
 */
EXPORT pid_t shim_vfork(void) __asm__("vfork");
pid_t shim_vfork(void)
{
    if (libc_fork == NULL)
        resolve();
    return libc_fork();
}

/* stdio reads and writes inside libc, past any shim: over one of ours it gets functions of its own. */
EXPORT FILE *shim_fdopen(int fd, const char *mode) __asm__("fdopen");
FILE *shim_fdopen(int fd, const char *mode)
{
    if (libc_fdopen == NULL)
        resolve();
    return (core_fdopen ? core_fdopen : libc_fdopen)(fd, mode);
}

extern int __vasprintf_chk(char **text, int flag, const char *format, va_list values);

/* dprintf(3) writes inside libc, too; only the text is libc's, and with `flag` what it refuses to format. */
static int print(int fd, int flag, const char *format, va_list values)
{
    char *text;
    int length = __vasprintf_chk(&text, flag, format, values), done = 0;

    if (length < 0)
        return -1;
    while (done < length) {
        ssize_t n = to_write(fd, text + done, (size_t)(length - done));

        if (n < 0)
            break;
        done += (int)n;
    }
    free(text);
    return done < length ? -1 : done;
}

EXPORT int shim_vdprintf(int fd, const char *format, va_list values) __asm__("vdprintf");
int shim_vdprintf(int fd, const char *format, va_list values)
{
    return print(fd, 0, format, values);
}

EXPORT int shim_vdprintf_chk(int fd, int flag, const char *format, va_list values) __asm__("__vdprintf_chk");
int shim_vdprintf_chk(int fd, int flag, const char *format, va_list values)
{
    return print(fd, flag, format, values);
}

#define PRINT(fd, flag, format)                \
    va_list values;                            \
    int result;                                \
                                               \
    va_start(values, format);                  \
    result = print(fd, flag, format, values);  \
    va_end(values);                            \
    return result

EXPORT int shim_dprintf(int fd, const char *format, ...) __asm__("dprintf");
int shim_dprintf(int fd, const char *format, ...)
{
    PRINT(fd, 0, format);
}

EXPORT int shim_dprintf_chk(int fd, int flag, const char *format, ...) __asm__("__dprintf_chk");
int shim_dprintf_chk(int fd, int flag, const char *format, ...)
{
    PRINT(fd, flag, format);
}

/* The forms of exec that take their arguments one by one, and for execle() the environment after them. */
#define EXEC(name, call)                                                                      \
    EXPORT int shim_##name(const char *path, const char *first, ...) __asm__(#name);           \
    int shim_##name(const char *path, const char *first, ...)                                  \
    {                                                                                          \
        size_t count = 1;                                                                      \
        va_list list;                                                                          \
                                                                                               \
        va_start(list, first);                                                                 \
        for (const char *next = first; next; next = va_arg(list, const char *))                \
            count++;                                                                           \
        va_end(list);                                                                          \
        {                                                                                      \
            char *arguments[count];                                                            \
                                                                                               \
            va_start(list, first);                                                             \
            arguments[0] = (char *)(uintptr_t)first;                                           \
            for (size_t i = 1; i < count; i++)                                                 \
                arguments[i] = va_arg(list, char *);                                           \
            return call;                                                                       \
        }                                                                                      \
    }
EXEC(execl, to_execv(path, arguments))
EXEC(execlp, to_execvp(path, arguments))
EXEC(execle, to_execve(path, arguments, va_arg(list, char **)))

/* pselect6's last argument: where the mask lies, and its size. */
static const sigset_t *mask_of(const void *argument)
{
    const sigset_t *mask = NULL;

    if (argument)
        memcpy(&mask, argument, sizeof(mask));
    return mask;
}

/* libuv and others make system calls by number: those that have a row here go the same way. */
EXPORT long shim_syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");
long shim_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (libc_syscall == NULL)
        resolve();
    switch (number) {
#define SYSTEM_CALL(name, arguments) SYSTEM_CALL_AS(name, name, arguments)
#define SYSTEM_CALL_AS(name, function, arguments) \
    case SYS_##name: return to_##function arguments;
#include "preload/system_calls.def"
    case SYS_exit_group: to__exit((int)a); return 0;
    case SYS_io_uring_setup: /* it would work on our descriptors past us; callers fall back */
        errno = ENOSYS;
        return -1;
    default: return libc_syscall(number, a, b, c, d, e, f);
    }
}
