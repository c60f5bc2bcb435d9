/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flight recorder (stats/flight.h) written to a file by the process itself: when its trigger
 * fires, or at a signal. The console's thread; pronghorn flight reads the recorder without it.
 */
#ifndef CONSOLE_FLIGHT_DUMP_H
#define CONSOLE_FLIGHT_DUMP_H

#include "base/doorbell.h"
#include "config/value.h"

struct flight_watch {
    enum config_trigger trigger;
    uint64_t latency_us;
    int signal; /* 0: none */
    char directory[VALUE_STRING_BYTES];
};

/* At the start, and later on the console's thread. */
void flight_watch(const struct flight_watch *watch);

/* From now on a signal rings this bell; NULL: no more. */
void flight_watch_bell(struct doorbell *bell);

/* Looks, and writes if there is a reason. Milliseconds until it wants to look again; -1: never. */
int flight_watch_look(void);

/* "USR1", "SIGUSR1", "10" -> its number; 0: none ("" is none too); -EINVAL. */
int flight_signal_named(const char *text);

#endif
