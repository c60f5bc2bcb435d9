/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/events.h"

INSTANCE_VAR_GLOBAL struct lwip_events template_lwip_events;
