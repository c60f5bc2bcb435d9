/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and stopping DPDK's environment (EAL), once per process: DPDK answers a second start
 * with EALREADY even after a clean-up. All settings come from the caller; nothing is read from a
 * command line. Cold path; any thread, one at a time.
 */
#ifndef PLATFORM_EAL_H
#define PLATFORM_EAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum eal_hugepages { EAL_HUGEPAGES_AUTO, EAL_HUGEPAGES_ON, EAL_HUGEPAGES_OFF };

struct eal_settings {
    const char *name;              /* shows in thread names and the file prefix; NULL: "pronghorn" */
    enum eal_hugepages hugepages;  /* AUTO: when enough are free for memory_mib */
    uint32_t memory_mib;           /* cap on all memory of DPDK: pools, chunks, rings */
    const char *const *pci;        /* addresses of the cards to take; none: the bus is not scanned */
    size_t pci_count;
    bool shareable_memory;         /* a port maps our memory into another process (virtio_user,
                                      memif zero-copy): one file per memory area */
    bool telemetry;                /* DPDK's telemetry socket, and its thread */
    const unsigned *busy_cpus;     /* where DPDK's own threads are not to run, if there are others */
    size_t busy_cpus_count;
    bool verbose;                  /* DPDK's own messages, all of them */
};

/* 0, or a negative errno with the culprit and the remedy in err. The caller's affinity stays. */
int eal_start(const struct eal_settings *settings, char *err, size_t err_size);

/* Idempotent. Every port must be closed and every pool freed before. */
void eal_stop(void);

bool eal_is_running(void);

/* "DPDK 22.11.11". */
const char *eal_version(void);

/* Whether memory lies in hugepages (after eal_start). */
bool eal_has_hugepages(void);

/*
 * Runs a function on a thread of its own, with all signals blocked, and waits for it. For calls into
 * DPDK that create threads: these inherit affinity and signal mask, and must have neither the
 * caller's pinning nor its signals.
 */
int eal_run(int (*function)(void *), void *argument);

/*
 * What DPDK said (errors and warnings) since eal_said_reset(), cut to fit, for error messages: the
 * driver knows more about a failure than its return value. "" when nothing.
 */
void eal_said_reset(void);
void eal_said(char *out, size_t out_size);

#endif
