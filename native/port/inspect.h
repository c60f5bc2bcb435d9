/* SPDX-License-Identifier: Apache-2.0 */
/* What the device itself says, for the tools. Cold; not in a stack's turn. */
#ifndef PORT_INSPECT_H
#define PORT_INSPECT_H

struct json_out;
struct port;

/* An object: link, the device's counters (all names of its driver), descriptor counts. */
void port_inspect(struct json_out *out, const struct port *port);

#endif
