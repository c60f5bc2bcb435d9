/* SPDX-License-Identifier: Apache-2.0 */
/* The process's messages (base/log.h), the last ones and those to come: a line of JSON each. */
#ifndef CONSOLE_FOLLOW_H
#define CONSOLE_FOLLOW_H

#include "console/output.h"
#include "console/request.h"

struct follow;

/* NULL: `answer` says why. */
struct follow *follow_open(struct request *request, struct json_out *answer);
/* False: that was all that was asked for. */
bool follow_pump(struct follow *follow, struct output *out);
void follow_close(struct follow *follow);

#endif
