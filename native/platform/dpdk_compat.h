/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only place that knows that DPDK has versions. Supported: 22.11 (Debian 12), 23.11 (Ubuntu
 * 24.04) and what lies between and after as far as the names below cover it.
 */
#ifndef PLATFORM_DPDK_COMPAT_H
#define PLATFORM_DPDK_COMPAT_H

#include <rte_telemetry.h>
#include <rte_version.h>

/* The bonding driver renamed its members in 23.11. */
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
#define DPDK_BOND_MEMBER_KEY "member"
#else
#define DPDK_BOND_MEMBER_KEY "slave"
#endif

/* Renamed in 23.03. */
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
#define dpdk_tel_add_u64 rte_tel_data_add_dict_uint
#else
#define dpdk_tel_add_u64 rte_tel_data_add_dict_u64
#endif

#endif
