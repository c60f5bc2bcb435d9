/* SPDX-License-Identifier: Apache-2.0 */
/* Routes and neighbours of one stack, for the tools. In the stack's context. */
#ifndef CONTROL_INSPECT_H
#define CONTROL_INSPECT_H

struct json_out;

/* Objects of an open list. */
void inspect_routes(struct json_out *out, unsigned stack);
void inspect_neighbors(struct json_out *out, unsigned stack);

#endif
