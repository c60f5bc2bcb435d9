/* SPDX-License-Identifier: Apache-2.0 */
/* Calibrates the time-stamp counter without a wait of its own: start-up takes longer than 10 ms. */
#include "base/clock.h"

#include <stdatomic.h>

#define CALIBRATION_NS 10000000u

static uint64_t loaded_ns;
static uint64_t loaded_tsc;
static _Atomic uint64_t tsc_hz;

__attribute__((constructor(102))) static void clock_loaded(void)
{
    loaded_ns = clock_now_ns();
    loaded_tsc = clock_tsc();
}

uint64_t clock_tsc_hz(void)
{
    uint64_t hz = atomic_load_explicit(&tsc_hz, memory_order_relaxed);

    if (hz != 0)
        return hz;
    uint64_t elapsed_ns = clock_now_ns() - loaded_ns;
    if (elapsed_ns < CALIBRATION_NS) {
        struct timespec rest = {.tv_nsec = (long)(CALIBRATION_NS - elapsed_ns)};
        nanosleep(&rest, NULL);
    }
    elapsed_ns = clock_now_ns() - loaded_ns;
    uint64_t elapsed_tsc = clock_tsc() - loaded_tsc;
    hz = (uint64_t)((__uint128_t)elapsed_tsc * 1000000000u / elapsed_ns);
    /* Two first callers may measure different rates: all use the one that was stored first. */
    uint64_t none = 0;
    if (!atomic_compare_exchange_strong(&tsc_hz, &none, hz))
        hz = none;
    return hz;
}
