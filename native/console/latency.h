/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that are measured by themselves (socket/latency.h): which, from when on, until when. */
#ifndef CONSOLE_LATENCY_H
#define CONSOLE_LATENCY_H

#include "console/console.h"
#include "console/request.h"

void latency(struct request *request, const struct console_settings *settings, struct json_out *answer);

#endif
