/* SPDX-License-Identifier: Apache-2.0 */
#include "console/filter.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <pcap/pcap.h>

#include "base/compiler.h"

struct filter {
    struct bpf_program program;
    _Atomic unsigned owners;
};

/* Only the console's thread opens it; stacks use `run` after that. */
static struct {
    void *handle;
    pcap_t *(*open_dead)(int link_type, int snap_bytes);
    int (*compile)(pcap_t *handle, struct bpf_program *program, const char *text, int optimize, bpf_u_int32 mask);
    void (*freecode)(struct bpf_program *program);
    char *(*geterr)(pcap_t *handle);
    void (*close)(pcap_t *handle);
    u_int (*run)(const struct bpf_insn *program, const u_char *bytes, u_int length, u_int captured);
} library;

static int library_open(void)
{
    static const char *const names[] = { "libpcap.so.0.8", "libpcap.so.1", "libpcap.so" };

    for (size_t i = 0; library.handle == NULL && i < ARRAY_SIZE(names); i++)
        library.handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (library.handle == NULL)
        return -ENOENT;
    library.open_dead = dlsym(library.handle, "pcap_open_dead");
    library.compile = dlsym(library.handle, "pcap_compile");
    library.freecode = dlsym(library.handle, "pcap_freecode");
    library.geterr = dlsym(library.handle, "pcap_geterr");
    library.close = dlsym(library.handle, "pcap_close");
    library.run = dlsym(library.handle, "bpf_filter");
    return library.open_dead && library.compile && library.freecode && library.geterr && library.close &&
           library.run ? 0 : -ENOENT;
}

int filter_compile(const char *expression, struct filter **out, char *err, size_t err_size)
{
    struct filter *filter;
    pcap_t *dead;
    int result = 0;

    *out = NULL;
    if (library_open() < 0) {
        snprintf(err, err_size, "filters need libpcap in the process's system; install it (Debian: apt install "
                 "libpcap0.8), or capture without a filter");
        return -ENOENT;
    }
    filter = calloc(1, sizeof(*filter));
    dead = library.open_dead(DLT_EN10MB, 65535);
    if (filter == NULL || dead == NULL) {
        snprintf(err, err_size, "out of memory");
        result = -ENOMEM;
    } else if (library.compile(dead, &filter->program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        snprintf(err, err_size, "filter \"%.200s\": %.200s", expression, library.geterr(dead));
        result = -EINVAL;
    }
    if (dead != NULL)
        library.close(dead);
    if (result == 0) {
        atomic_init(&filter->owners, 1);
        *out = filter;
    } else {
        free(filter);
    }
    return result;
}

void filter_hold(struct filter *filter)
{
    if (filter != NULL)
        atomic_fetch_add(&filter->owners, 1);
}

void filter_free(struct filter *filter)
{
    if (filter == NULL || atomic_fetch_sub(&filter->owners, 1) > 1)
        return;
    library.freecode(&filter->program);
    free(filter);
}

bool filter_matches(const void *program, const uint8_t *bytes, uint32_t length, uint32_t captured)
{
    const struct filter *filter = program;

    return library.run(filter->program.bf_insns, bytes, length, captured) != 0;
}
