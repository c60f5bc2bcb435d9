/* SPDX-License-Identifier: Apache-2.0 */
/* The requests that one answer is enough for. */
#ifndef CONSOLE_VERBS_H
#define CONSOLE_VERBS_H

#include "console/console.h"
#include "console/request.h"

/* False: there is no such verb. */
bool verb_run(struct request *request, const struct console_settings *settings, struct json_out *answer);

#endif
