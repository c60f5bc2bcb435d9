/* SPDX-License-Identifier: Apache-2.0 */
#include "console/flight_dump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel_calls.h"
#include "base/log.h"
#include "console/output.h"
#include "console/pcapng.h"
#include "console/trigger.h"
#include "port/port.h"
#include "stack/group.h"
#include "stats/flight.h"

/* How often a trigger looks, how soon after it the file is written (the answer belongs to it), how often. */
#define LOOK_MS 20
#define AFTER_US 100000
#define PAUSE_US 1000000
#define FILES_MAX 16

static struct {
    struct flight_watch watch;
    struct trigger trigger;
    uint64_t write_us, next_us; /* when to write, 0: no reason; not before */
    unsigned files;
    struct doorbell *_Atomic bell;
    _Atomic bool signalled;
    int caught; /* the signal that is ours at present */
    struct sigaction before;
} dump;

/* ---- what ---------------------------------------------------------------------------------------- */

/* A ring as it was at one moment. */
struct copy {
    uint8_t *slots;
    uint64_t next, end; /* records still to be written: [next, end) */
    unsigned stack;
};

static bool copy_ring(struct copy *copy, const struct flight_ring *ring)
{
    uint32_t slots = ring->mask + 1;
    uint64_t later;

    copy->slots = malloc((size_t)slots * ring->slot_bytes);
    if (copy->slots == NULL)
        return false;
    copy->end = atomic_load_explicit(&ring->head, memory_order_acquire);
    memcpy(copy->slots, ring->slot, (size_t)slots * ring->slot_bytes);
    atomic_thread_fence(memory_order_acquire);
    later = atomic_load_explicit(&ring->head, memory_order_relaxed);
    /* Record `later` may be half written: into the slot of the one that is `slots` older. */
    copy->next = later >= slots ? later - slots + 1 : 0;
    if (copy->next > copy->end)
        copy->next = copy->end;
    return true;
}

static const struct flight_record *record_of(const struct copy *copy, const struct flight_header *header)
{
    return (const void *)(copy->slots + (copy->next & (header->slots - 1)) * header->slot_bytes);
}

static const char *state_name(unsigned state)
{
    static const char *const names[] = { "closed",     "listening",  "syn-sent",   "syn-recv",
                                         "established", "fin-wait-1", "fin-wait-2", "close-wait",
                                         "closing", "last-ack", "time-wait" };

    return state < ARRAY_SIZE(names) ? names[state] : "?";
}

static bool write_event(struct output *out, unsigned stack, const struct flight_record *record, uint64_t time_ns)
{
    const struct flight_tcp *e = (const void *)(record + 1);
    int family = e->family == 6 ? AF_INET6 : AF_INET;
    char local[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN], what[64], text[768];

    inet_ntop(family, e->local_address, local, sizeof(local));
    inet_ntop(family, e->peer_address, peer, sizeof(peer));
    if (record->detail == FLIGHT_EVENT_state)
        snprintf(what, sizeof(what), "%s -> %s", state_name(e->state_before), state_name(e->state));
    else
        snprintf(what, sizeof(what), "%s (%s)", flight_event_name(record->detail), state_name(e->state));
    snprintf(text, sizeof(text),
             "__REALTIME_TIMESTAMP=%" PRIu64 "\nPRIORITY=5\nSYSLOG_IDENTIFIER=pronghorn\n"
             "MESSAGE=stack %u %s:%u > %s:%u %s seq %u ack %u unacked %u cwnd %u ssthresh %u snd_wnd %u rcv_wnd %u "
             "rtt %u us rto %u us retries %u\n",
             time_ns / 1000, stack, local, e->local_port, peer, e->peer_port, what, e->send_next, e->receive_next,
             e->send_next - e->send_acked, e->cwnd, e->ssthresh, e->send_window, e->receive_window, e->rtt_us,
             e->rto_us, e->retransmits);
    return pcapng_journal(out, text);
}

/* One interface for each queue of each stack, in this order. */
static uint32_t interface_of(unsigned stack, unsigned port)
{
    uint32_t number = 0;

    for (unsigned s = 0; s < group.count; s++) {
        for (unsigned p = 0; p < group.stacks[s]->ports_count; p++, number++)
            if (s == stack && netif_port_port(group.stacks[s]->ports[p])->id == port)
                return number;
    }
    return 0;
}

static bool write_head(struct output *out, const struct flight_header *header)
{
    bool good = pcapng_section(out, "pronghorn flight recorder");

    for (unsigned s = 0; s < group.count; s++) {
        for (unsigned p = 0; p < group.stacks[s]->ports_count; p++) {
            const struct port *port = netif_port_port(group.stacks[s]->ports[p]);
            char name[160];

            snprintf(name, sizeof(name), "%s stack %u", port->name, s);
            good = good && pcapng_interface(out, name, port->driver, header->snap_bytes, "");
        }
    }
    return good;
}

/* All rings, in the order of time. */
static bool write_records(struct output *out, struct copy *copies, unsigned count, const struct flight_header *header)
{
    uint64_t wall_ns = atomic_load_explicit(&header->wall_ns, memory_order_relaxed);

    for (;;) {
        const struct flight_record *first = NULL, *record;
        struct copy *of = NULL;
        uint64_t time_ns;
        bool good;

        for (unsigned i = 0; i < count; i++) {
            record = copies[i].next < copies[i].end ? record_of(&copies[i], header) : NULL;
            if (record != NULL && (first == NULL || record->time_ns < first->time_ns)) {
                first = record;
                of = &copies[i];
            }
        }
        if (first == NULL)
            return true;
        time_ns = first->time_ns + wall_ns;
        good = first->kind == FLIGHT_TCP ? write_event(out, of->stack, first, time_ns)
                                         : pcapng_packet(out, interface_of(of->stack, first->port), time_ns,
                                                         first->detail, first->length, first + 1, first->captured);
        if (!good)
            return false;
        of->next++;
    }
}

static int save(const struct output *out, const char *path)
{
    /* Not over what is there, nor through a link that somebody else put there. */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t done = out->start;

    if (fd < 0)
        return -errno;
    while (done < out->end) {
        ssize_t wrote = kernel.write(fd, out->bytes + done, out->end - done);

        if (wrote < 0 && errno != EINTR) {
            int result = -errno;

            kernel.close(fd);
            unlink(path);
            return result;
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    kernel.close(fd);
    return 0;
}

static void write_file(const char *why)
{
    const struct flight_header *header = flight_header();
    struct copy copies[STACKS_MAX] = { 0 };
    struct output out = { 0 };
    char path[VALUE_STRING_BYTES + 64];
    unsigned count = 0;
    int result = -ENOMEM;
    bool good = true;

    if (header == NULL)
        return;
    flight_set_wall();
    for (unsigned i = 0; i < header->stacks && i < STACKS_MAX && good; i++) {
        copies[i].stack = i;
        good = copy_ring(&copies[i], flight_ring(i));
        count++;
    }
    good = good && write_head(&out, header) && write_records(&out, copies, count, header);
    do {
        snprintf(path, sizeof(path), "%s/pronghorn-%d-%u.pcapng", dump.watch.directory, (int)getpid(), ++dump.files);
        result = good ? save(&out, path) : -ENOMEM;
    } while (result == -EEXIST && dump.files < FILES_MAX);
    for (unsigned i = 0; i < count; i++)
        free(copies[i].slots);
    output_free(&out);
    if (result < 0)
        log_warn("flight recorder (%s): %s cannot be written: %s", why, path, strerror(-result));
    else
        log_warn("flight recorder (%s): %s", why, path);
}

/* ---- when ---------------------------------------------------------------------------------------- */

static void on_signal(int number)
{
    struct doorbell *bell = atomic_load(&dump.bell);
    int saved_errno = errno;

    atomic_store(&dump.signalled, true);
    if (bell != NULL)
        doorbell_ring(bell);
    errno = saved_errno;
}

static void catch_signal(int number)
{
    struct sigaction ours = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    if (number == dump.caught)
        return;
    if (dump.caught != 0)
        sigaction(dump.caught, &dump.before, NULL);
    dump.caught = 0;
    if (number == 0)
        return;
    if (sigaction(number, &ours, &dump.before) == 0)
        dump.caught = number;
    else
        log_warn("flight.signal: %d cannot be caught: %s", number, strerror(errno));
}

void flight_watch(const struct flight_watch *watch)
{
    dump.watch = *watch;
    trigger_set(&dump.trigger, watch->trigger, watch->latency_us);
    dump.write_us = 0;
    dump.next_us = 0; /* the pause is between dumps of one order: a new one is not lost in it */
    catch_signal(watch->signal);
}

void flight_watch_bell(struct doorbell *bell)
{
    atomic_store(&dump.bell, bell);
    if (bell == NULL)
        catch_signal(0);
}

int flight_watch_look(void)
{
    uint64_t now_us = clock_now_us();

    if (atomic_exchange(&dump.signalled, false))
        write_file("signal");
    if (dump.watch.trigger == CONFIG_TRIGGER_NONE || dump.files >= FILES_MAX)
        return -1;
    if (trigger_fired(&dump.trigger) && dump.write_us == 0 && now_us >= dump.next_us)
        dump.write_us = now_us + AFTER_US;
    if (dump.write_us != 0 && now_us >= dump.write_us) {
        write_file("trigger");
        dump.write_us = 0;
        dump.next_us = now_us + PAUSE_US;
    }
    return LOOK_MS;
}

int flight_signal_named(const char *text)
{
    static const struct {
        const char *name;
        int number;
    } names[] = { { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "HUP", SIGHUP }, { "QUIT", SIGQUIT },
                  { "WINCH", SIGWINCH } };
    char *end;
    long number = strtol(text, &end, 10);

    if (*text == '\0')
        return 0;
    if (*end == '\0')
        return number >= 1 && number < NSIG && number != SIGKILL && number != SIGSTOP ? (int)number : -EINVAL;
    if (strncmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i].name) == 0)
            return names[i].number;
    return -EINVAL;
}
