/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libpcap functions that DPDK's pcap driver calls, looked up in libpcap when the first is
 * called: only users of that driver need the library. Without it each call fails as libpcap's does,
 * and pcap_geterr() says why.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

struct pcap;
struct pcap_dumper;

static void *library;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void library_open(void)
{
    static const char *const names[] = {"libpcap.so.0.8", "libpcap.so.1", "libpcap.so"};

    for (size_t i = 0; library == NULL && i < sizeof(names) / sizeof(names[0]); i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
}

static void *find(const char *name)
{
    pthread_once(&once, library_open);
    return library ? dlsym(library, name) : NULL;
}

/* CALL(result, result without libpcap, name, parameters, arguments) */
#define CALL(result, absent, name, parameters, arguments)                 \
    result name parameters;                                               \
    result name parameters                                                \
    {                                                                     \
        static result(*real) parameters;                                  \
        if (real == NULL && (real = (__typeof__(real))find(#name)) == NULL) \
            return absent;                                                \
        return real arguments;                                            \
    }

#define CALL_VOID(name, parameters, arguments)                                \
    void name parameters;                                                     \
    void name parameters                                                      \
    {                                                                         \
        static void(*real) parameters;                                        \
        if (real != NULL || (real = (__typeof__(real))find(#name)) != NULL)   \
            real arguments;                                                   \
    }

static char absent_text[] = "libpcap is not installed (package libpcap0.8)";

CALL_VOID(pcap_close, (struct pcap *p), (p))
CALL_VOID(pcap_dump, (unsigned char *user, const void *header, const unsigned char *data), (user, header, data))
CALL_VOID(pcap_dump_close, (struct pcap_dumper *d), (d))
CALL(int, -1, pcap_dump_flush, (struct pcap_dumper *d), (d))
CALL(struct pcap_dumper *, NULL, pcap_dump_open, (struct pcap *p, const char *file), (p, file))
CALL(char *, absent_text, pcap_geterr, (struct pcap *p), (p))
CALL(const unsigned char *, NULL, pcap_next, (struct pcap *p, void *header), (p, header))
CALL(int, -1, pcap_next_ex, (struct pcap *p, void **header, const unsigned char **data), (p, header, data))
CALL(struct pcap *, NULL, pcap_open_dead_with_tstamp_precision,
     (int link, int snap, unsigned precision), (link, snap, precision))
CALL(struct pcap *, NULL, pcap_open_live,
     (const char *device, int snap, int promiscuous, int ms, char *error),
     (device, snap, promiscuous, ms, error))
CALL(struct pcap *, NULL, pcap_open_offline, (const char *file, char *error), (file, error))
CALL(int, -1, pcap_sendpacket, (struct pcap *p, const unsigned char *data, int bytes), (p, data, bytes))
CALL(int, -1, pcap_setdirection, (struct pcap *p, int direction), (p, direction))
CALL(int, -1, pcap_setnonblock, (struct pcap *p, int on, char *error), (p, on, error))
CALL(int, -1, pcap_stats, (struct pcap *p, void *out), (p, out))
