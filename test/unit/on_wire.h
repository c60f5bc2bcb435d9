/* SPDX-License-Identifier: Apache-2.0 */
/* The process of most tests of the exported calls: two stacks, 10.0.0.1 and 10.0.0.2, joined by a wire. */
#ifndef TEST_UNIT_ON_WIRE_H
#define TEST_UNIT_ON_WIRE_H

#include <check.h>

#include "pronghorn.h"

static inline void start_on_wire(void)
{
    const struct ph_setting settings[] = {
        { "memory.hugepages", "off" },
        { "stack.drive", TEST_DRIVE },
        { "fd.numbers", TEST_NUMBERS },
        { "port", "" },
    };

    ck_assert_msg(ph_init(settings, 4) == 0, "%s", ph_error());
}

#endif
