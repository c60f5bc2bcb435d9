/* SPDX-License-Identifier: Apache-2.0 */
/* Faults on purpose (port/faults.h): they stay until they are ended, or the process ends. */
#ifndef CONSOLE_INJECT_H
#define CONSOLE_INJECT_H

#include "console/request.h"

void inject(struct request *request, struct json_out *answer);
/* Ends all faults. -1, or a stack that did not answer: there they end when it turns again. */
int inject_stop(void);

#endif
