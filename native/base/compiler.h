/* SPDX-License-Identifier: Apache-2.0 */
/* What the language lacks: branch hints, sizes, invariants. Macros where a function cannot do. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Words that different threads write lie on different lines, or each write stalls the others. */
#define CACHE_LINE 64
#define CACHE_ALIGNED __attribute__((aligned(CACHE_LINE)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define PRINTF_LIKE(format_index, first_index) \
    __attribute__((format(printf, format_index, first_index)))

/* DPDK defines the same macro with the same meaning. */
#ifndef container_of
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))
#endif

/*
 * What must hold if our own code is right; never for what a peer, a user or a device can cause.
 * Checked in debug builds only (prints and aborts); in release builds it costs nothing and the
 * condition is not evaluated.
 */
#ifdef PRONGHORN_DEBUG
#define INVARIANT(condition) \
    (LIKELY(condition) ? (void)0 : invariant_failed(#condition, __FILE__, __LINE__))
#else
#define INVARIANT(condition) ((void)sizeof(!(condition)))
#endif
_Noreturn void invariant_failed(const char *condition, const char *file, int line);

/* Tells the core that we spin: saves power, lets a hyper-thread run. Never yields to the kernel. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

static inline uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline size_t min_size(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

static inline size_t align_up(size_t value, size_t power_of_two)
{
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

static inline bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

#endif
