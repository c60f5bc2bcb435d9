/* SPDX-License-Identifier: Apache-2.0 */
/* Command line, pinning, limits and reports of the benchmark programs. */
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "bench.h"

volatile sig_atomic_t bench_stopped;

void bench_die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void on_stop(int signal_number)
{
    bench_stopped = 1;
}

static void on_limit(int signal_number)
{
    static const char text[] = "the time limit was reached (--limit)\n";
    ssize_t rc = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)rc;
    _exit(3);
}

static void usage(void)
{
    fprintf(stderr,
            "usage: %s server|client [options]\n"
            "  --address A       IPv4 address to listen on or connect to (127.0.0.1)\n"
            "  --port P          first TCP port (7001)       --ports N   ports in a row (1)\n"
            "  --cpu N           pin to this core (not pinned)\n"
            "  --wait spin|block|epoll   how to wait (spin)\n"
            "  --seconds S       measured time (1)           --warmup S  before it (0.2)\n"
            "  --count N         at most N operations (no bound)\n"
            "  --limit S         hard limit of the process's life, in whole seconds (60)\n"
            "  --size B          bytes per operation (64)\n"
            "  --window N        requests in flight (32)     --connections N  (100)\n"
            "  --slots N         share the cores with N - 1 others in turn (rr; not shared)\n"
            "  --slot K          which of them, from 0 (0)   --slot-ms T  so long each (20)\n",
            program_invocation_short_name);
    exit(2);
}

static double parse_number(const char *name, const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= min && value <= max)) {
        fprintf(stderr, "--%s: \"%s\" is not a number from %g to %g\n", name, text, min, max);
        exit(2);
    }
    return value;
}

static enum bench_wait parse_wait(const char *text)
{
    static const char *const names[] = {"spin", "block", "epoll"};

    for (unsigned i = 0; i < 3; i++)
        if (!strcmp(text, names[i]))
            return (enum bench_wait)i;
    fprintf(stderr, "--wait: \"%s\" is none of spin, block, epoll\n", text);
    exit(2);
}

static void parse(int argc, char **argv, struct bench_options *o)
{
    enum { ADDRESS, PORT, PORTS, CPU, WAIT, SECONDS, WARMUP, COUNT, LIMIT, SIZE, WINDOW, CONNECTIONS,
           SLOTS, SLOT, SLOT_MS };
    static const struct option options[] = {
        {"address", 1, NULL, ADDRESS}, {"port", 1, NULL, PORT},       {"ports", 1, NULL, PORTS},
        {"cpu", 1, NULL, CPU},         {"wait", 1, NULL, WAIT},       {"seconds", 1, NULL, SECONDS},
        {"warmup", 1, NULL, WARMUP},   {"count", 1, NULL, COUNT},     {"limit", 1, NULL, LIMIT},
        {"size", 1, NULL, SIZE},       {"window", 1, NULL, WINDOW},   {"connections", 1, NULL, CONNECTIONS},
        {"slots", 1, NULL, SLOTS},     {"slot", 1, NULL, SLOT},       {"slot-ms", 1, NULL, SLOT_MS},
        {NULL, 0, NULL, 0},
    };
    int which, index = 0;

    while ((which = getopt_long(argc, argv, "", options, &index)) != -1) {
        const char *name = options[index].name;
        switch (which) {
        case ADDRESS: o->address = optarg; break;
        case PORT: o->port = (uint16_t)parse_number(name, optarg, 1, 65535); break;
        case PORTS: o->ports = (unsigned)parse_number(name, optarg, 1, 1000); break;
        case CPU: o->cpu = (int)parse_number(name, optarg, 0, CPU_SETSIZE - 1); break;
        case WAIT: o->wait = parse_wait(optarg); break;
        case SECONDS: o->seconds = parse_number(name, optarg, 0.001, 3600); break;
        case WARMUP: o->warmup_seconds = parse_number(name, optarg, 0, 3600); break;
        case COUNT: o->count = (uint64_t)parse_number(name, optarg, 1, 1e15); break;
        case LIMIT: o->limit_seconds = (unsigned)parse_number(name, optarg, 1, 86400); break;
        case SIZE: o->size = (size_t)parse_number(name, optarg, 1, 16 << 20); break;
        case WINDOW: o->window = (unsigned)parse_number(name, optarg, 1, 4096); break;
        case CONNECTIONS: o->connections = (unsigned)parse_number(name, optarg, 1, 1e6); break;
        case SLOTS: o->slots = (unsigned)parse_number(name, optarg, 1, 64); break;
        case SLOT: o->slot = (unsigned)parse_number(name, optarg, 0, 63); break;
        case SLOT_MS: o->slot_ms = (unsigned)parse_number(name, optarg, 1, 100); break;
        default: usage();
        }
    }
    if (optind + 1 != argc)
        usage();
    if (!strcmp(argv[optind], "server"))
        o->is_server = true;
    else if (strcmp(argv[optind], "client"))
        usage();
}

void bench_begin(int argc, char **argv, struct bench_options *o)
{
    struct sigaction stop = {.sa_handler = on_stop}, limit = {.sa_handler = on_limit};
    struct rlimit files;

    *o = (struct bench_options){
        .address = "127.0.0.1", .port = 7001, .ports = 1, .cpu = -1, .seconds = 1,
        .warmup_seconds = 0.2, .limit_seconds = 60, .size = 64, .window = 32, .connections = 100,
        .slot_ms = 20,
    };
    parse(argc, argv, o);

    sigaction(SIGTERM, &stop, NULL); /* no SA_RESTART: a blocked call must come back */
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGALRM, &limit, NULL);
    alarm(o->limit_seconds);
    /* Whoever started us may be killed: never outlive it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setvbuf(stdout, NULL, _IOLBF, 0);

    if (o->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(o->cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set))
            bench_die("cannot run on core %d (--cpu): %s", o->cpu, strerror(errno));
    }
    /* The kernel's side needs a descriptor per connection; root may also raise the hard limit. */
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        rlim_t wanted = (rlim_t)o->connections + 1024;
        if (files.rlim_max < wanted) {
            struct rlimit raised = {wanted, wanted};
            if (!setrlimit(RLIMIT_NOFILE, &raised))
                return;
        }
        if (files.rlim_cur < wanted) {
            files.rlim_cur = wanted < files.rlim_max ? wanted : files.rlim_max;
            setrlimit(RLIMIT_NOFILE, &files);
        }
    }
}

void bench_start_stack(void)
{
    const char *why;

    if (net_start(&why))
        bench_die("the stack did not start: %s", why);
}

void bench_ready(void)
{
    puts("ready");
}

static uint64_t read_kib(const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    size_t key_len = strlen(key);
    unsigned long long kib = 0;
    char line[256];

    if (!file)
        return 0;
    while (fgets(line, sizeof(line), file))
        if (!strncmp(line, key, key_len) && line[key_len] == ':')
            sscanf(line + key_len + 1, "%llu", &kib);
    fclose(file);
    return kib << 10;
}

uint64_t bench_memory_bytes(void)
{
    return read_kib("/proc/self/status", "VmRSS") + read_kib("/proc/self/status", "HugetlbPages");
}

uint64_t bench_slab_bytes(void)
{
    return read_kib("/proc/meminfo", "Slab");
}

void bench_format_latency(const struct histogram *h, char *buf, size_t size)
{
    snprintf(buf, size, "{\"p50\":%llu,\"p99\":%llu,\"max\":%llu,\"mean\":%.1f}",
             (unsigned long long)histogram_percentile(h, 0.5),
             (unsigned long long)histogram_percentile(h, 0.99), (unsigned long long)h->max,
             h->count ? (double)h->sum / (double)h->count : 0.0);
}

void bench_report(const char *bench, uint64_t ops, uint64_t bytes, uint64_t elapsed_ns,
                  const struct histogram *h, const char *extra)
{
    double seconds = (double)elapsed_ns / 1e9;
    char latency[160];

    bench_format_latency(h, latency, sizeof(latency));
    printf("{\"side\":\"" NET_SIDE "\",\"bench\":\"%s\",\"ops\":%llu,\"bytes\":%llu,\"seconds\":%.6f,"
           "\"rate\":%.3f,\"bits_per_second\":%.0f,\"latency_ns\":%s%s}\n",
           bench, (unsigned long long)ops, (unsigned long long)bytes, seconds,
           seconds > 0 ? (double)ops / seconds : 0, seconds > 0 ? (double)bytes * 8 / seconds : 0,
           latency, extra);
    fflush(stdout);
}
