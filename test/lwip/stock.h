/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Included before everything of lwIP's own unit tests: what stock lwIP has and ours replaced. A tick of
 * the old timers is 250 ms of our clock.
 */
#ifndef TEST_LWIP_STOCK_H
#define TEST_LWIP_STOCK_H

#include <check.h>
#include <sys/time.h>

/* TAP on stdout as all our tests, and no file left behind. */
#define srunner_set_xml(runner, file) srunner_set_tap(runner, "-")
#define CK_NORMAL CK_SILENT

void tcp_tmr(void);
void tcp_fasttmr(void);
void tcp_slowtmr(void);

#endif
