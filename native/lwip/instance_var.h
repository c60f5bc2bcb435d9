/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A variable that each instance has one of. The section that holds them all is only the template;
 * an instance is a copy of it, and lwip_delta is the distance from the template to the copy of the
 * instance whose turn it is on this thread. lwIP's own variables are listed in instance.vars and
 * rewritten by transform.pl; our modules inside the lwip library write
 *
 *     struct ports { ... };
 *     static INSTANCE_VAR struct ports template_ports;
 *
 *     INSTANCE(ports).next++;
 *
 * The variable's real name begins with template_, so that an access without INSTANCE() does not
 * compile. Outside a turn lwip_delta points nowhere: a forgotten instance_enter() is a fault at once
 * and not a silent write into the template (which is read-only as well).
 */
#ifndef PRONGHORN_LWIP_INSTANCE_VAR_H
#define PRONGHORN_LWIP_INSTANCE_VAR_H

/* No address of a process has this bit alone: the sum faults on x86-64 and on arm64. */
#define INSTANCE_NONE (1UL << 52)

/*
 * initial-exec: one load per access, also in a library opened by dlopen(). That model wants the
 * thread-local block of the module that defines it in the little static room that is left to such
 * libraries, and DPDK's in libpronghorn.so is too large: so it is defined in a module of its own
 * (delta.c).
 */
extern __thread unsigned long lwip_delta
    __attribute__((tls_model("initial-exec"), visibility("default")));

#define INSTANCE_VAR __attribute__((section("instance_vars")))
#define INSTANCE_VAR_GLOBAL __attribute__((section("instance_vars"), visibility("hidden")))

/* By way of an integer: as pointer arithmetic it would be undefined, and compilers use that to
 * assume that the copy is never reached. */
#define INSTANCE(name) \
    (*(__typeof__(template_##name) *)((unsigned long)&(template_##name) + lwip_delta))

#endif
