/* SPDX-License-Identifier: Apache-2.0 */
#include "base/inside.h"

__thread volatile unsigned inside_calls;
__thread volatile bool inside_due;
void (*_Atomic inside_raise)(void);
