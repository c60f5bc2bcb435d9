/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `pronghorn explain` shows: for each descriptor that was a socket of an unmodified program,
 * whose it became and why. The rows lie in a memory file ("pronghorn-routes") that the tool finds
 * under /proc/<pid>/fd and reads; nothing has to be removed, however the process ends. One row for
 * each number, overwritten by its next socket; the inode tells whether it still is the same one.
 */
#ifndef FD_EXPLAIN_H
#define FD_EXPLAIN_H

#include <stdint.h>

#include "config/config.h"
#include "control/endpoint.h"

#define EXPLAIN_MAGIC "PHROUTES"
#define EXPLAIN_VERSION 1
#define EXPLAIN_ROWS 65536

struct explain_header {
    char magic[8];
    uint32_t version, header_bytes, row_bytes, rows;
    uint32_t used; /* no row beyond was ever written */
    uint32_t reserved[9];
};

struct explain_row {
    uint64_t inode; /* 0: none */
    uint8_t verdict; /* enum route_verdict */
    uint8_t type;    /* SOCK_STREAM, SOCK_DGRAM */
    uint8_t family;  /* of the address that decided; 0: none */
    uint8_t waiting; /* ours or both, but nobody has waited on it yet */
    uint16_t port;
    uint16_t reserved;
    uint8_t address[16];
    char reason[224];
};

void explain_note(int fd, enum route_verdict verdict, bool waiting, int type, const struct endpoint *e,
                  const char *reason);

/* In a child: rows of its own. */
void explain_forked(void);

#endif
