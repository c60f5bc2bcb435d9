/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers and the bits of the trace points (trace.def). */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stdint.h>

enum trace_point {
#define TRACE_POINT(name, word, first, second, help) TRACE_##name,
#include "base/trace.def"
    TRACE_POINTS
};

#define TRACE_BIT(point) (UINT32_C(1) << (TRACE_##point))
#define TRACE_ALL ((uint32_t)((UINT64_C(1) << TRACE_POINTS) - 1))

_Static_assert(TRACE_POINTS <= 32, "a bit for each");

/* Who ends a sleep: the second value of `wake`. */
enum trace_wake { TRACE_WAKE_CALL, TRACE_WAKE_TIMER, TRACE_WAKE_DEVICE };

#endif
