/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applications that send and check a byte pattern. The byte at a stream's offset is a function of the
 * offset alone, so that a byte that is lost, doubled or moved is found where it happens.
 */
#include "flow.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "lwip/tcp_limits.h"

/* A prime, so that offsets that are powers of two apart differ; written twice: any piece up to the
 * period is contiguous and can be sent by reference. */
#define PERIOD 65521U
static uint8_t pattern[2 * PERIOD];

static void pattern_fill(void)
{
    uint32_t value = 12345;

    if (pattern[0])
        return;
    for (size_t i = 0; i < PERIOD; i++) {
        value = value * 1664525 + 1013904223;
        pattern[i] = pattern[i + PERIOD] = (uint8_t)(value >> 24);
    }
    pattern[0] = pattern[PERIOD] = 1;
}

static void app_forget(struct sim_app *app)
{
    app->pcb = NULL;
    app->gone = true;
    app->gone_us = app->flow->sim->now_us;
}

static void app_read(struct sim_app *app, uint64_t most)
{
    while (app->unread && most && app->pcb) {
        uint64_t piece = app->unread < most ? app->unread : most;

        if (piece > 0xffff)
            piece = 0xffff;
        app->unread -= piece;
        most -= piece;
        tcp_recved(app->pcb, (u16_t)piece);
    }
}

static bool app_reads_now(const struct sim_app *app)
{
    const struct sim_plan *plan = &app->flow->plan;

    if (app->end != SIM_SERVER)
        return true;
    return app->flow->sim->now_us >= app->flow->began_us + plan->server_reads_after_ms * SIM_MS &&
           !plan->server_reads_per_pace;
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct sim_app *app = arg;

    ck_assert_int_eq(error, ERR_OK);
    if (!packet) {
        ck_assert(app->flow->plan.unchecked || !app->peer_ended);
        app->peer_ended = true;
        app->ended_us = app->flow->sim->now_us;
        return ERR_OK;
    }
    ck_assert(app->flow->plan.unchecked || !app->peer_ended);
    for (struct pbuf *piece = packet; piece; piece = piece->next) {
        const uint8_t *data = piece->payload;

        for (u16_t done = 0; done < piece->len;) {
            size_t offset = app->received % PERIOD;
            size_t bytes = piece->len - done;

            if (bytes > PERIOD)
                bytes = PERIOD;
            if (!app->flow->plan.unchecked)
                ck_assert_mem_eq(data + done, pattern + offset, bytes);
            done += (u16_t)bytes;
            app->received += bytes;
        }
    }
    app->unread += packet->tot_len;
    pbuf_free(packet);
    if (app_reads_now(app))
        app_read(app, UINT64_MAX);
    return ERR_OK;
}

static void app_work(struct sim_app *app);

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t bytes)
{
    struct sim_app *app = arg;

    if (!app) /* has closed: the FIN was acknowledged */
        return ERR_OK;
    app->acked += bytes;
    ck_assert_uint_le(app->acked, app->written);
    app_work(app);
    return app->gone ? ERR_ABRT : ERR_OK;
}

static void on_error(void *arg, err_t error)
{
    struct sim_app *app = arg;

    if (!app)
        return;
    app->error = error;
    app_forget(app);
}

static void app_attach(struct sim_app *app, struct tcp_pcb *pcb)
{
    const struct sim_plan *plan = &app->flow->plan;

    app->pcb = pcb;
    tcp_arg(pcb, app);
    tcp_recv(pcb, on_recv);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    if (!plan->nagle)
        tcp_nagle_disable(pcb);
    if (plan->send_limit)
        tcp_limit_send(pcb, plan->send_limit);
    if (plan->receive_limit)
        tcp_limit_receive(pcb, plan->receive_limit);
    if (plan->keepalive_idle_ms) {
        ip_set_option(pcb, SOF_KEEPALIVE);
        pcb->keep_idle = plan->keepalive_idle_ms;
        pcb->keep_intvl = plan->keepalive_interval_ms;
        pcb->keep_cnt = plan->keepalive_count;
    }
}

static void app_established(struct sim_app *app)
{
    app->established = true;
    app->established_us = app->flow->sim->now_us;
    app_work(app);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    app_established(arg);
    return ERR_OK;
}

/* The client's flow is found by its port: it was connected before. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct sim *sim = arg;
    struct sim_flow *flow;

    if (!pcb)
        return ERR_MEM;
    LIST_EACH(flow, &sim->flows, node) {
        struct sim_app *app = &flow->app[SIM_SERVER];

        if (!app->pcb && !app->gone && flow->client_port == pcb->remote_port) {
            app_attach(app, pcb);
            app_established(app);
            return app->gone ? ERR_ABRT : ERR_OK;
        }
    }
    tcp_abort(pcb);
    return ERR_ABRT;
}

static void app_write(struct sim_app *app)
{
    const struct sim_plan *plan = &app->flow->plan;
    uint32_t most = plan->write_bytes ? plan->write_bytes : 4096;
    bool wrote = false;

    if (app->end == SIM_SERVER && plan->server_waits_for_end && !app->peer_ended)
        return;
    while (app->written < app->to_send) {
        uint64_t bytes = app->to_send - app->written;

        if (bytes > most)
            bytes = most;
        if (bytes > tcp_sndbuf(app->pcb))
            bytes = tcp_sndbuf(app->pcb);
        if (!bytes || tcp_write(app->pcb, pattern + app->written % PERIOD, (u16_t)bytes,
                                plan->copy ? TCP_WRITE_FLAG_COPY : 0) != ERR_OK)
            break;
        app->written += bytes;
        wrote = true;
    }
    if (wrote)
        tcp_output(app->pcb);
}

/* What the plan wants next of this end; after it the PCB may be gone. */
static void app_work(struct sim_app *app)
{
    const struct sim_plan *plan = &app->flow->plan;
    enum sim_close how = app->end == SIM_CLIENT ? plan->client_close : plan->server_close;
    struct tcp_pcb *pcb = app->pcb;

    if (!pcb || !app->established)
        return;
    if (!app->shut)
        app_write(app);
    if (app_reads_now(app))
        app_read(app, UINT64_MAX);
    if (app->written < app->to_send || how == SIM_CLOSE_NEVER)
        return;
    if (app->end == SIM_SERVER && plan->server_waits_for_end && !app->peer_ended)
        return;
    if (how == SIM_CLOSE_ABORT) {
        if (app->acked == app->written) {
            tcp_arg(pcb, NULL);
            app_forget(app);
            tcp_abort(pcb);
        }
        return;
    }
    if (!app->shut && tcp_shutdown(pcb, 0, 1) == ERR_OK)
        app->shut = true;
    /* the last word: both directions are at their end, lwIP keeps what TIME_WAIT needs */
    if (app->shut && app->peer_ended && !app->unread && app->acked == app->written) {
        tcp_arg(pcb, NULL);
        tcp_err(pcb, NULL);
        app_forget(app);
        tcp_close(pcb);
    }
}

void flow_pace(struct sim *sim, int end)
{
    struct sim_flow *flow;

    LIST_EACH(flow, &sim->flows, node) {
        struct sim_app *app = &flow->app[end];

        if (!app->pcb)
            continue;
        if (end == SIM_SERVER && flow->plan.server_reads_per_pace &&
            sim->now_us >= flow->began_us + flow->plan.server_reads_after_ms * SIM_MS)
            app_read(app, flow->plan.server_reads_per_pace);
        app_work(app);
    }
}

void flow_listen(struct sim *sim)
{
    unsigned long outside = instance_enter(sim->end[SIM_SERVER].instance);
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);

    pattern_fill();
    ck_assert_int_eq(tcp_bind(pcb, IP_ANY_TYPE, 80), ERR_OK);
    sim->listener = tcp_listen_with_backlog(pcb, 1000);
    ck_assert_ptr_nonnull(sim->listener);
    tcp_arg(sim->listener, sim);
    tcp_accept(sim->listener, on_accept);
    instance_leave(outside);
}

struct sim_flow *sim_connect(struct sim *sim, const struct sim_plan *plan)
{
    unsigned long outside = instance_enter(sim->end[SIM_CLIENT].instance);
    struct sim_flow *flow = calloc(1, sizeof(*flow));
    struct tcp_pcb *pcb;
    ip_addr_t server;

    instance_clock(sim->end[SIM_CLIENT].instance, sim->now_us);
    flow->sim = sim;
    flow->plan = *plan;
    flow->began_us = sim->now_us;
    for (int i = 0; i < SIM_ENDS; i++) {
        flow->app[i].flow = flow;
        flow->app[i].end = i;
        flow->app[i].to_send = i == SIM_CLIENT ? plan->up_bytes : plan->down_bytes;
    }
    list_push_back(&sim->flows, &flow->node);
    if (sim->ipv6)
        IP_ADDR6(&server, PP_HTONL(0xfd000000), 0, 0, PP_HTONL(2));
    else
        IP_ADDR4(&server, 10, 0, 0, 2);
    pcb = tcp_new_ip_type(IP_GET_TYPE(&server));
    ck_assert_ptr_nonnull(pcb);
    app_attach(&flow->app[SIM_CLIENT], pcb);
    ck_assert_int_eq(tcp_connect(pcb, &server, 80, on_connected), ERR_OK);
    flow->client_port = pcb->local_port;
    instance_leave(outside);
    sim->end[SIM_CLIENT].timer_us = sim->now_us;
    return flow;
}

void flow_drop_all(struct sim *sim)
{
    while (!list_is_empty(&sim->flows)) {
        struct sim_flow *flow = container_of(list_pop_front(&sim->flows), struct sim_flow, node);

        for (int i = 0; i < SIM_ENDS; i++) {
            unsigned long outside = instance_enter(sim->end[i].instance);

            if (flow->app[i].pcb) {
                tcp_arg(flow->app[i].pcb, NULL);
                tcp_abort(flow->app[i].pcb);
            }
            instance_leave(outside);
        }
        free(flow);
    }
}

bool sim_flow_is_over(void *context)
{
    struct sim_flow *flow = context;

    return flow->app[SIM_CLIENT].gone && flow->app[SIM_SERVER].gone;
}

bool sim_flow_is_delivered(void *context)
{
    struct sim_flow *flow = context;

    return flow->app[SIM_SERVER].received == flow->plan.up_bytes &&
           flow->app[SIM_CLIENT].received == flow->plan.down_bytes;
}

bool sim_flow_is_established(void *context)
{
    struct sim_flow *flow = context;

    return flow->app[SIM_CLIENT].established && flow->app[SIM_SERVER].established;
}
