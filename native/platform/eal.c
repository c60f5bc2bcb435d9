/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/eal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_version.h>

#include "base/compiler.h"
#include "base/log.h"
#include "platform/core.h"
#include "platform/fork.h"
#include "platform/plugins/driver_calls.h"

#define ARGUMENTS_MAX 128

/* The argument list for rte_eal_init(), which wants char *argv[] and may permute it. */
struct arguments {
    char *value[ARGUMENTS_MAX];
    char *own[ARGUMENTS_MAX]; /* to be freed; value[] may be permuted */
    int count;
};

static bool running, started_once, in_hugepages;

/* ---- what DPDK says --------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    char text[1024];
    size_t length;
    bool collecting;
    bool verbose;
} said = {.lock = PTHREAD_MUTEX_INITIALIZER};

static ssize_t said_write(void *cookie, const char *text, size_t bytes)
{
    unsigned level = (unsigned)rte_log_cur_msg_loglevel();
    size_t length = bytes;

    (void)cookie;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        length--;
    if (length == 0)
        return (ssize_t)bytes;
    if (level <= RTE_LOG_WARNING) {
        pthread_mutex_lock(&said.lock);
        if (said.collecting && said.length + length + 3 < sizeof(said.text)) {
            if (said.length > 0) {
                memcpy(said.text + said.length, "; ", 2);
                said.length += 2;
            }
            memcpy(said.text + said.length, text, length);
            said.length += length;
            said.text[said.length] = '\0';
        }
        pthread_mutex_unlock(&said.lock);
    }
    if (level <= RTE_LOG_CRIT) /* it is about to abort */
        log_fatal("dpdk: %.*s", (int)length, text);
    else if (said.verbose)
        log_line(NULL, LOG_LEVEL_INFO, "dpdk: %.*s", (int)length, text);
    else
        log_debug("dpdk: %.*s", (int)length, text);
    return (ssize_t)bytes;
}

static void said_open(bool verbose)
{
    static FILE *stream;
    cookie_io_functions_t calls = {.write = said_write};

    said.verbose = verbose;
    if (stream == NULL && (stream = fopencookie(NULL, "w", calls)) != NULL) {
        setvbuf(stream, NULL, _IOLBF, 1024);
        rte_openlog_stream(stream);
    }
}

void eal_said_reset(void)
{
    pthread_mutex_lock(&said.lock);
    said.length = 0;
    said.text[0] = '\0';
    said.collecting = true;
    pthread_mutex_unlock(&said.lock);
}

void eal_said(char *out, size_t out_size)
{
    pthread_mutex_lock(&said.lock);
    snprintf(out, out_size, "%s", said.text);
    said.collecting = false;
    pthread_mutex_unlock(&said.lock);
}

/* ---- a thread for calls into DPDK -------------------------------------------------------------- */

struct run {
    int (*function)(void *);
    void *argument;
    int result;
};

static void *run_thread(void *argument)
{
    struct run *run = argument;

    core_name_thread("pronghorn-cold");
    run->result = run->function(run->argument);
    return NULL;
}

int eal_run(int (*function)(void *), void *argument)
{
    struct run run = {function, argument, -EAGAIN};
    sigset_t all, before;
    pthread_t thread;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, NULL, run_thread, &run);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        pthread_join(thread, NULL); /* the caller's signals are handled meanwhile: it may take long */
    return failed ? -failed : run.result;
}

/* ---- starting ---------------------------------------------------------------------------------- */

static void argument_add(struct arguments *list, const char *format, ...) PRINTF_LIKE(2, 3);
static void argument_add(struct arguments *list, const char *format, ...)
{
    char *text = NULL;
    va_list values;

    va_start(values, format);
    if (list->count < ARGUMENTS_MAX - 1 && vasprintf(&text, format, values) >= 0) {
        list->own[list->count] = text;
        list->value[list->count++] = text;
    }
    va_end(values);
}

static void arguments_free(struct arguments *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->own[i]);
}

static uint64_t number_read(const char *path)
{
    unsigned long long number = 0;
    FILE *file = fopen(path, "re");

    if (file != NULL) {
        if (fscanf(file, "%llu", &number) != 1)
            number = 0;
        fclose(file);
    }
    return number;
}

static uint64_t hugepages_free_mib(void)
{
    return number_read("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") * 2 +
           number_read("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages") * 1024;
}

/* The process's CPUs but for those that stacks are to have for themselves; all, if there are no others. */
static int cpus_for_others(const struct eal_settings *settings, cpu_set_t *set)
{
    cpu_set_t others;

    if (sched_getaffinity(0, sizeof(*set), set) != 0)
        return -errno;
    others = *set;
    for (size_t i = 0; i < settings->busy_cpus_count; i++)
        if (settings->busy_cpus[i] < CPU_SETSIZE)
            CPU_CLR(settings->busy_cpus[i], &others);
    if (CPU_COUNT(&others) > 0)
        *set = others;
    return 0;
}

/*
 * One lcore that may run on all of these: "0@(0-3,8)". Threads that DPDK starts for itself may do so too:
 * the one that starts it leaves them no others. We pin our own.
 */
static void lcores_add(struct arguments *list, const struct eal_settings *settings)
{
    char cpus[1024] = "";
    size_t length = 0;
    cpu_set_t set;

    if (cpus_for_others(settings, &set) != 0)
        return;
    for (int cpu = 0; cpu < RTE_MAX_LCORE && length < sizeof(cpus) - 16; cpu++)
        if (CPU_ISSET(cpu, &set))
            length += (size_t)snprintf(cpus + length, sizeof(cpus) - length, "%s%d",
                                       length ? "," : "", cpu);
    argument_add(list, "--lcores=0@(%s)", cpus);
}

static int hugepages_choose(const struct eal_settings *settings, bool *use, char *err, size_t err_size)
{
    uint64_t free_mib = hugepages_free_mib();

    *use = settings->hugepages != EAL_HUGEPAGES_OFF && free_mib >= settings->memory_mib;
    if (settings->hugepages == EAL_HUGEPAGES_ON && !*use) {
        snprintf(err, err_size,
                 "memory.hugepages = on: %u MiB wanted, %llu MiB of hugepages are free. Reserve more "
                 "(sysctl vm.nr_hugepages=%u), lower memory.limit_mib, or set memory.hugepages = auto",
                 settings->memory_mib, (unsigned long long)free_mib,
                 (settings->memory_mib + 1) / 2);
        return -ENOMEM;
    }
    return 0;
}

static void arguments_fill(struct arguments *list, const struct eal_settings *settings, bool hugepages)
{
    argument_add(list, "%s", settings->name ? settings->name : "pronghorn");
    lcores_add(list, settings);
    if (hugepages) {
        /* Pages are taken as needed up to the limit and vanish with the process, however it ends. */
        argument_add(list, "--in-memory");
        argument_add(list, "--socket-limit=%u", settings->memory_mib);
        if (settings->shareable_memory)
            argument_add(list, "--single-file-segments");
    } else {
        /* The whole area is mapped at once, and resident as far as it is used. */
        argument_add(list, "--no-huge");
        argument_add(list, "--no-shconf");
        argument_add(list, "-m");
        argument_add(list, "%u", settings->memory_mib);
    }
    if (!settings->telemetry)
        argument_add(list, "--no-telemetry");
    if (settings->pci_count == 0) {
        argument_add(list, "--no-pci");
        argument_add(list, "--iova-mode=va");
    }
    for (size_t i = 0; i < settings->pci_count; i++) {
        argument_add(list, "-a");
        argument_add(list, "%s", settings->pci[i]);
    }
    argument_add(list, "--log-level=%s", settings->verbose ? "debug" : "notice");
}

struct start {
    struct arguments *arguments;
    const struct eal_settings *settings;
    int error;
};

static int start_thread(void *argument)
{
    struct start *start = argument;
    cpu_set_t set;

    if (cpus_for_others(start->settings, &set) == 0)
        sched_setaffinity(0, sizeof(set), &set); /* this thread's, and of those that it makes */
    if (rte_eal_init(start->arguments->count, start->arguments->value) >= 0)
        return 0;
    return rte_errno ? -rte_errno : -EINVAL;
}

int eal_start(const struct eal_settings *settings, char *err, size_t err_size)
{
    struct arguments arguments = {.count = 0};
    struct start start = {&arguments, settings, 0};
    char reason[512];
    bool hugepages;
    int status;

    if (started_once) {
        snprintf(err, err_size, "the runtime was started before in this process: DPDK can be started "
                                "once per process; start a new process instead");
        return -EALREADY;
    }
    status = hugepages_choose(settings, &hugepages, err, err_size);
    if (status != 0)
        return status;
    said_open(settings->verbose);
    eal_said_reset();
    arguments_fill(&arguments, settings, hugepages);
    started_once = true;
    driver_calls_owner = getpid();
    status = eal_run(start_thread, &start);
    arguments_free(&arguments);
    eal_said(reason, sizeof(reason));
    if (status != 0) {
        snprintf(err, err_size, "DPDK does not start (%s): %s", strerror(-status),
                 reason[0] ? reason : "it gave no reason");
        return status;
    }
    fork_leave_out();
    in_hugepages = hugepages;
    running = true;
    return 0;
}

static int stop_thread(void *argument)
{
    (void)argument;
    return rte_eal_cleanup();
}

void eal_stop(void)
{
    if (!running)
        return;
    running = false;
    eal_run(stop_thread, NULL);
}

const char *eal_version(void)
{
    return rte_version();
}

bool eal_is_running(void)
{
    return running;
}

bool eal_has_hugepages(void)
{
    return in_hugepages;
}
