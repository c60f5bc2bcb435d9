/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a Node environment waits on our sockets.
 *
 * While there is work it polls: an idle handle keeps libuv from blocking, and the check handle runs
 * one ph_epoll_wait(0) per turn of the event loop (which also turns inline stacks). Everything else
 * in the loop keeps its turn. All ready sockets of a turn reach JavaScript in one call.
 *
 * After `spin_ns` without an event it sleeps: ph_epoll_prepare() arms the wake-up descriptor, on
 * which a uv_poll sits, and gives a bound, for which a timer is set; the loop then blocks in the
 * kernel as any idle Node process does. A send or connect while asleep means that an answer may be
 * near: it starts the polling again.
 *
 * The handles keep the process alive only while JavaScript holds the poller (ref'd sockets).
 */
#include <cstdlib>
#include <initializer_list>
#include <pthread.h>
#include <vector>

#include <pronghorn.h>

#include "args.h"

static const int BATCH = 256;

/* All environments with a poller, for pollers_end(). Never destroyed: that runs at exit. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static std::vector<Environment *> &open_pollers = *new std::vector<Environment *>;

/* Beside the count: only one event in this call; callbacks are to be measured (lib/poller.ts). */
static const int ONE = 1 << 16;
static const int MEASURED = 1 << 17;

/*
 * One call into JavaScript for the whole batch. A listener that throws ends the call early, so
 * it is made again (with 0: go on) until the batch is through.
 */
static void dispatch(Environment *e, int count)
{
    Poller *p = &e->poller;
    napi_handle_scope scope;
    napi_value function, global, argument, error;
    napi_status status;
    bool pending;

    if (p->stuck || napi_open_handle_scope(e->env, &scope) != napi_ok)
        return;
    napi_get_reference_value(e->env, p->dispatch, &function);
    napi_get_global(e->env, &global);
    do {
        napi_create_int32(e->env, count, &argument);
        status = napi_make_callback(e->env, nullptr, global, function, 1, &argument, nullptr);
        if (status == napi_ok || !p->open)
            break;
        pending = false;
        napi_is_exception_pending(e->env, &pending);
        if (!pending) {
            /* Execution is being terminated; nothing of ours can run any more. */
            p->stuck = true;
            break;
        }
        napi_get_and_clear_last_exception(e->env, &error);
        napi_fatal_exception(e->env, error);
        if (count & ONE)
            break;
        count = 0;
    } while (p->open && !p->stuck);
    napi_close_handle_scope(e->env, scope);
}

/* The callback of the batch's event `i` begins. */
static Measured measure_begin(const Poller *p, int i)
{
    Measured measured;
    size_t token = static_cast<size_t>(p->events[2 * i]);

    measured.fd = token < p->fds.size() ? p->fds[token] : -1;
    measured.since = measured.fd < 0 ? 0 : ph_callback_begin(measured.fd);
    return measured;
}

static void measure_end(const Measured &measured)
{
    if (measured.since)
        ph_callback_end(measured.fd, measured.since);
}

/* An operator wants to know how long the callbacks of some sockets take: a call for each event. */
static void dispatch_measured(Environment *e, int count)
{
    Poller *p = &e->poller;

    for (int i = 0; i < count && p->open && !p->stuck && !p->ended; i++) {
        Measured measured = measure_begin(p, i);

        dispatch(e, ONE | (i == 0 ? count : 0));
        measure_end(measured);
    }
}

/* One look at the epoll; how many (token, events) pairs it left for JavaScript. */
static int collect(Poller *p)
{
    struct epoll_event events[BATCH];
    int count = ph_epoll_wait(p->epfd, events, p->max_events, 0);

    for (int i = 0; i < count; i++) {
        p->events[2 * i] = static_cast<int32_t>(events[i].data.u32);
        p->events[2 * i + 1] = static_cast<int32_t>(events[i].events);
    }
    return count;
}

static Environment *environment_of(const struct uv_handle_s *handle)
{
    return static_cast<Environment *>(uv_handle_get_data(handle));
}

/* The runtime was stopped: JavaScript is told once, with -1, and nothing is waited for any more. */
static void stopped(Environment *e)
{
    Poller *p = &e->poller;

    if (p->ended)
        return;
    p->polling = false;
    p->ended = true;
    uv_idle_stop(p->idle);
    uv_timer_stop(p->bound);
    uv_check_stop(p->check);
    uv_unref(p->wake);
    uv_unref(p->idle);
    dispatch(e, -1);
}

static void on_idle(struct uv_handle_s *)
{
}

static void start_polling(Poller *p)
{
    if (p->polling || p->ended)
        return;
    p->polling = true;
    p->idle_since = 0;
    uv_timer_stop(p->bound);
    uv_idle_start(p->idle, on_idle);
}

static void on_bound(struct uv_handle_s *timer)
{
    start_polling(&environment_of(timer)->poller);
}

static void sleep_or_go_on(Poller *p)
{
    uint64_t bound_us = UINT64_MAX;

    if (ph_epoll_prepare(p->epfd, &bound_us) != 0)
        return;
    p->polling = false;
    uv_idle_stop(p->idle);
    if (bound_us != UINT64_MAX)
        uv_timer_start(p->bound, on_bound, (bound_us + 999) / 1000, 0);
}

static void on_check(struct uv_handle_s *check)
{
    Environment *e = environment_of(check);
    Poller *p = &e->poller;

    if (p->seen_activity != e->activity)
        p->idle_since = 0; /* who only sends would go to sleep and be woken for each burst */
    if (!p->polling) {
        if (p->seen_activity == e->activity)
            return;
        start_polling(p);
    }
    p->seen_activity = e->activity;
    int count = collect(p);
    if (count > 0) {
        if (ph_latency_chosen() > 0)
            dispatch_measured(e, count);
        else
            dispatch(e, count);
        p->idle_since = 0;
        return;
    }
    if (count < 0 && errno == EBADF) {
        wait_if_dying();
        stopped(e);
        return;
    }
    uint64_t now = uv_hrtime();
    if (p->idle_since == 0)
        p->idle_since = now;
    else if (now - p->idle_since >= p->spin_ns)
        sleep_or_go_on(p);
}

/* The wake-up descriptor: the check handle of this same turn of the loop does the polling. */
static void on_wake(struct uv_handle_s *wake, int, int)
{
    start_polling(&environment_of(wake)->poller);
}

static struct uv_handle_s *new_handle(Environment *e, int type)
{
    struct uv_handle_s *handle = static_cast<struct uv_handle_s *>(calloc(1, uv_handle_size(type)));
    uv_handle_set_data(handle, e);
    return handle;
}

static void on_end(struct uv_handle_s *end)
{
    stopped(environment_of(end));
}

void pollers_end(void)
{
    pthread_mutex_lock(&open_lock);
    for (Environment *e : open_pollers)
        uv_async_send(e->poller.end);
    pthread_mutex_unlock(&open_lock);
}

static int open_handles(Environment *e)
{
    Poller *p = &e->poller;
    uv_loop_t *loop;

    if (napi_get_uv_event_loop(e->env, &loop) != napi_ok)
        return -EINVAL;
    p->epfd = ph_epoll_create1(EPOLL_CLOEXEC);
    if (p->epfd < 0)
        return -errno;
    int wake_fd = ph_epoll_fd(p->epfd);
    p->wake = new_handle(e, UV_POLL);
    int error = wake_fd < 0 ? -errno : uv_poll_init(loop, p->wake, wake_fd);
    if (error) {
        free(p->wake);
        ph_close(p->epfd);
        p->epfd = -1;
        return error;
    }
    uv_idle_init(loop, p->idle = new_handle(e, UV_IDLE));
    uv_check_init(loop, p->check = new_handle(e, UV_CHECK));
    uv_timer_init(loop, p->bound = new_handle(e, UV_TIMER));
    uv_async_init(loop, p->end = new_handle(e, UV_ASYNC), on_end);
    for (struct uv_handle_s *handle : {p->wake, p->idle, p->check, p->bound, p->end}) {
        uv_handle_set_data(handle, e);
        uv_unref(handle);
    }
    uv_check_start(p->check, on_check);
    uv_poll_start(p->wake, UV_READABLE, on_wake);
    p->open = true;
    pthread_mutex_lock(&open_lock);
    open_pollers.push_back(e);
    pthread_mutex_unlock(&open_lock);
    start_polling(p);
    return 0;
}

/* (dispatch, pairs, spin_us) */
static napi_value poller_open(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    Poller *p = &args.e->poller;
    Bytes pairs(env, args.value[1]);
    size_t room = pairs.rows<int32_t>(2);
    napi_valuetype type = napi_undefined;

    if (p->open)
        return number_value(env, -EALREADY);
    napi_typeof(env, args.value[0], &type);
    if (room == 0 || type != napi_function || args.number(2) < 0 ||
        napi_create_reference(env, args.value[0], 1, &p->dispatch) != napi_ok ||
        napi_create_reference(env, args.value[1], 1, &p->events_ref) != napi_ok)
        return number_value(env, -EINVAL);
    p->events = reinterpret_cast<int32_t *>(pairs.data);
    p->max_events = room > BATCH ? BATCH : static_cast<int32_t>(room);
    p->spin_ns = static_cast<uint64_t>(args.number(2)) * 1000;
    return number_value(env, open_handles(args.e));
}

/* (hold): whether our waiting keeps the event loop alive. */
static napi_value poller_hold(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    Poller *p = &args.e->poller;

    if (!p->open)
        return number_value(env, -EBADF);
    for (struct uv_handle_s *handle : {p->wake, p->idle})
        args.flag(0) ? uv_ref(handle) : uv_unref(handle);
    return number_value(env, 0);
}

/* (op, fd, events, token) */
static napi_value poller_watch(napi_env env, napi_callback_info info)
{
    Args<4> args(env, info);
    struct epoll_event event = {};
    event.events = static_cast<uint32_t>(args.number(2));
    event.data.u32 = static_cast<uint32_t>(args.number(3));
    if (args.number(0) == EPOLL_CTL_ADD) {
        std::vector<int> &fds = args.e->poller.fds;
        if (event.data.u32 > fds.size()) /* tokens are places in a list without holes */
            return number_value(env, -EINVAL);
        if (event.data.u32 == fds.size())
            fds.push_back(-1);
        fds[event.data.u32] = args.fd(1);
    }
    return result_value(env, ph_epoll_ctl(args.e->poller.epfd, args.number(0), args.fd(1), &event));
}

/* For a caller's own loop: looks once, now; the pairs are for the caller to dispatch. */
static napi_value poller_collect(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    Poller *p = &args.e->poller;
    int count = p->open ? collect(p) : 0;
    return result_value(env, count > 0 && ph_latency_chosen() > 0 ? MEASURED | count : count);
}

/* (index): the callback of that event of the batch begins; (-1): it has ended. */
static napi_value poller_measure(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    Poller *p = &args.e->poller;
    int i = args.number(0);
    measure_end(p->measured);
    p->measured = p->open && i >= 0 && i < p->max_events ? measure_begin(p, i) : Measured();
    return number_value(env, 0);
}

/*
 * (error): of a callback that JavaScript ran between two listeners. Told before our own callback ends:
 * what threw has left its asynchronous context on Node's stack, which is cleared by this.
 */
static napi_value poller_uncaught(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    napi_fatal_exception(env, args.value[0]);
    return number_value(env, 0);
}

void poller_close(Environment *e, void (*done)(Environment *e))
{
    Poller *p = &e->poller;

    if (!p->open) {
        done(e);
        return;
    }
    p->open = false;
    e->closed = done;
    pthread_mutex_lock(&open_lock);
    for (size_t i = 0; i < open_pollers.size(); i++)
        if (open_pollers[i] == e)
            open_pollers.erase(open_pollers.begin() + static_cast<ptrdiff_t>(i--));
    pthread_mutex_unlock(&open_lock);
    for (struct uv_handle_s *handle : {p->idle, p->check, p->wake, p->bound, p->end}) {
        e->closing_handles++;
        uv_close(handle, [](struct uv_handle_s *closed) {
            Environment *owner = environment_of(closed);
            free(closed);
            if (--owner->closing_handles == 0)
                owner->closed(owner);
        });
    }
    /* After uv_close: libuv takes the wake-up descriptor out of its own epoll first. */
    ph_close(p->epfd);
    p->epfd = -1;
}

const Function poller_functions[] = {
    {"pollerOpen", poller_open},
    {"pollerHold", poller_hold},
    {"pollerWatch", poller_watch},
    {"pollerCollect", poller_collect},
    {"pollerMeasure", poller_measure},
    {"pollerUncaught", poller_uncaught},
    {nullptr, nullptr},
};
