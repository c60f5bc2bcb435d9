/* SPDX-License-Identifier: Apache-2.0 */
/* lwIP's view of compiler and platform: gcc or clang on 64-bit Linux. */
#ifndef PRONGHORN_ARCH_CC_H
#define PRONGHORN_ARCH_CC_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lwip/events.h"
#include "lwip/instance_var.h"

#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_ERRNO_STDINCLUDE 1

#define lwip_htons(x) ((u16_t)htobe16((uint16_t)(x)))
#define lwip_htonl(x) ((u32_t)htobe32((uint32_t)(x)))

/* A broken invariant inside the protocol code: going on would corrupt memory, so it ends here. */
void lwip_assert_failed(const char *message, const char *file, int line)
    __attribute__((noreturn, cold));
void lwip_diagnose(const char *format, ...) __attribute__((format(printf, 1, 2), cold));
#define LWIP_PLATFORM_ASSERT(message) lwip_assert_failed(message, __FILE__, __LINE__)
#define LWIP_PLATFORM_DIAG(arguments) lwip_diagnose arguments

/* memory.c: the slabs of the instance whose turn it is */
void *memory_alloc(size_t bytes);
void *memory_zalloc(size_t count, size_t bytes);
void memory_free(void *memory);

/* tcp_limits.c: what a new PCB starts with */
uint32_t tcp_start_send_bytes(void);
uint32_t tcp_start_receive_bytes(void);
uint8_t tcp_start_congestion(void);

/* siphash.c */
uint32_t random_u32(void);
#define LWIP_RAND() random_u32()

/* checksum.c: ones' complement sum in network order, not inverted */
uint16_t checksum_sum(const void *data, int bytes);

#endif
