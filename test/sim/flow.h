/* SPDX-License-Identifier: Apache-2.0 */
/* The applications of the simulator, called by sim.c inside the turn of the end in question. */
#ifndef TEST_SIM_FLOW_H
#define TEST_SIM_FLOW_H

struct sim;

void flow_listen(struct sim *sim);
void flow_pace(struct sim *sim, int end);
void flow_drop_all(struct sim *sim);

#endif
