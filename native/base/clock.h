/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time for timers and measurements: CLOCK_MONOTONIC (about 40 ns a call), and the time-stamp
 * counter (about 20 ns) where only differences matter. Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_now_us(void) { return clock_now_ns() / 1000; }

static inline uint64_t clock_tsc(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return clock_now_ns();
#endif
}

/*
 * Ticks of clock_tsc() per second, measured against CLOCK_MONOTONIC since the library was loaded.
 * The first call waits until at least 10 ms have passed since then; later calls only read.
 */
uint64_t clock_tsc_hz(void);

static inline uint64_t clock_us_to_tsc(uint64_t us) { return us * (clock_tsc_hz() / 1000) / 1000; }

#endif
