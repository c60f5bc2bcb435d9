/* SPDX-License-Identifier: Apache-2.0 */
/* libpronghorn-tls.so: the one thread-local variable that must lie in static TLS; instance_var.h. */
#include "lwip/instance_var.h"

__thread unsigned long lwip_delta = INSTANCE_NONE;
