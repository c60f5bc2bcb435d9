/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec(): the peers of our sockets are to see that their process is gone, and only it can tell them, so
 * before. But exec may fail, and what was told cannot be taken back. Whether it will fail nobody but the
 * kernel knows (script interpreters, formats, limits, mounts), so it is tried: by a child in our memory,
 * as vfork() makes it, which is killed when it became the program. As filters of system calls outlive
 * exec, nothing that the program asks of the kernel until then is done.
 */
#include "pronghorn/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/life.h"
#include "base/compiler.h"
#include "base/kernel_calls.h"

struct exec {
    int (*make)(const struct exec *exec);
    const char *name;
    char *const *arguments, *const *environment;
    int fd, flags;
    volatile int error; /* of the trial: 0 as long as exec has not returned */
};

#define TRIAL_IMPOSSIBLE (-1)
/* execvp(3) copies the arguments' addresses to its stack: the kernel takes 6 MiB of arguments at most. */
#define STACK_BYTES (8 << 20)

static int make_path(const struct exec *exec)
{
    return kernel.execve(exec->name, exec->arguments, exec->environment);
}

static int make_name(const struct exec *exec)
{
    return kernel.execvpe(exec->name, exec->arguments, exec->environment);
}

static int make_fd(const struct exec *exec)
{
    return kernel.fexecve(exec->fd, exec->arguments, exec->environment);
}

static int make_at(const struct exec *exec)
{
    return kernel.execveat(exec->fd, exec->name, exec->arguments, exec->environment, exec->flags);
}

/* From here on this process can execute a program and end; all else is ENOSYS. */
static bool mute(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = ARRAY_SIZE(rules), .filter = rules };

    /* Who may not filter without it gives up gaining rights by exec, which no trial needs. */
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ||
           (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* The child: it has our memory, descriptors of its own, and we wait until it is done or another program. */
static int try_it(void *argument)
{
    struct exec *exec = argument;

    if (mute()) {
        exec->make(exec);
        exec->error = errno;
    } else {
        exec->error = TRIAL_IMPOSSIBLE;
    }
    return 0;
}

/*
 * Whoever executed something is a child with SIGCHLD, whatever it was made with. Nobody shall hear of it;
 * the signal that was sent for another child is sent again.
 */
static void end_trial(pid_t child, bool became, const sigset_t *pending)
{
    struct timespec at_once = { 0 };
    siginfo_t about;
    sigset_t only;

    if (became)
        kill(child, SIGKILL);
    while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
        ;
    sigemptyset(&only);
    sigaddset(&only, SIGCHLD);
    if (became && !sigismember(pending, SIGCHLD) && sigtimedwait(&only, &about, &at_once) == SIGCHLD &&
        about.si_pid != child)
        kill(getpid(), SIGCHLD);
}

/* False: it failed, with errno. */
static bool will_do(struct exec *exec)
{
    sigset_t all, before, pending;
    pid_t child = -1;
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (stack != MAP_FAILED) {
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before); /* no handler runs in the child */
        sigpending(&pending);
        child = clone(try_it, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK, exec);
        if (child > 0)
            end_trial(child, exec->error == 0, &pending);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        munmap(stack, STACK_BYTES);
    }
    if (child < 0 || exec->error == TRIAL_IMPOSSIBLE) /* the usual reasons must do */
        return exec->make != make_path || access(exec->name, X_OK) == 0;
    errno = exec->error;
    return exec->error == 0;
}

static int leave_and_make(struct exec exec)
{
    if (life_may_leave()) {
        if (!will_do(&exec))
            return -1;
        life_leave();
    }
    return exec.make(&exec);
}

int ph_shim_execve(const char *path, char *const *arguments, char *const *environment)
{
    return leave_and_make((struct exec){ .make = make_path, .name = path, .arguments = arguments,
                                         .environment = environment });
}

int ph_shim_execv(const char *path, char *const *arguments)
{
    return ph_shim_execve(path, arguments, environ);
}

int ph_shim_execvpe(const char *name, char *const *arguments, char *const *environment)
{
    return leave_and_make((struct exec){ .make = make_name, .name = name, .arguments = arguments,
                                         .environment = environment });
}

int ph_shim_execvp(const char *name, char *const *arguments)
{
    return ph_shim_execvpe(name, arguments, environ);
}

int ph_shim_fexecve(int fd, char *const *arguments, char *const *environment)
{
    return leave_and_make((struct exec){ .make = make_fd, .fd = fd, .arguments = arguments,
                                         .environment = environment });
}

int ph_shim_execveat(int folder, const char *path, char *const *arguments, char *const *environment, int flags)
{
    return leave_and_make((struct exec){ .make = make_at, .fd = folder, .name = path, .arguments = arguments,
                                         .environment = environment, .flags = flags });
}
