/* SPDX-License-Identifier: Apache-2.0 */
/* What does not change after the start, for the tools: settings, ports, stacks (stats/segment.h). */
#ifndef API_FACTS_H
#define API_FACTS_H

struct config;
struct port;

/* After the ports are open. A line of JSON for each fact; without memory the tools see none. */
void facts_tell(const struct config *config, struct port *const *ports, unsigned ports_count);

#endif
