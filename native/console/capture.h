/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One capture for one operator: a ring at each queue that he chose, pumped into his connection as
 * pcapng. As a flight recorder the rings keep the newest packets until something happens (a trigger)
 * or he asks, and are then written out.
 */
#ifndef CONSOLE_CAPTURE_H
#define CONSOLE_CAPTURE_H

#include "console/console.h"
#include "console/output.h"
#include "console/request.h"

struct capture;

/* NULL: `answer` says why. Otherwise the answer is given and the file's head is in `out`. */
struct capture *capture_open(struct request *request, const struct console_settings *settings,
                             struct json_out *answer, struct output *out);

/* The operator wants no more, but what is there. */
void capture_finish(struct capture *capture);

/* Moves on what was captured. False: that was all, end the connection. */
bool capture_pump(struct capture *capture, struct output *out);

void capture_close(struct capture *capture);

#endif
