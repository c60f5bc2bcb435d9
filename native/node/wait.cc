/* SPDX-License-Identifier: Apache-2.0 */
/* poll(2) and epoll(7) for those who own their loop (pronghorn/posix). They may block. */
#include <pronghorn.h>

#include "args.h"

static const int MAX_EVENTS = 256; /* per call; the rest stays for the next one */

static napi_value call_epoll_create(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    return opened_value(args.e, ph_epoll_create1(args.number(0)));
}

/* (epfd, op, fd, events, data) */
static napi_value call_epoll_ctl(napi_env env, napi_callback_info info)
{
    Args<5> args(env, info);
    struct epoll_event event = {};
    event.events = static_cast<uint32_t>(args.number(3));
    event.data.u32 = static_cast<uint32_t>(args.number(4));
    return result_value(env, ph_epoll_ctl(args.fd(), args.number(1), args.fd(2), &event));
}

/* (epfd, pairs, timeout_ms): writes (data, events) pairs; how many. */
static napi_value call_epoll_wait(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    Bytes pairs(env, args.value[1]);
    struct epoll_event events[MAX_EVENTS];
    size_t room = pairs.rows<int32_t>(2);
    int max = room > MAX_EVENTS ? MAX_EVENTS : static_cast<int>(room);
    int count = ph_epoll_wait(args.fd(), events, max, args.number(2));
    int32_t *pair = reinterpret_cast<int32_t *>(pairs.data);
    for (int i = 0; i < count; i++) {
        pair[2 * i] = static_cast<int32_t>(events[i].data.u32);
        pair[2 * i + 1] = static_cast<int32_t>(events[i].events);
    }
    return result_value(env, count);
}

/* (entries, count, timeout_ms): entries as struct pollfd lies in memory. */
static napi_value call_poll(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    Bytes entries(env, args.value[0]);
    int32_t count = args.number(1);
    if (count < 0 || static_cast<size_t>(count) > entries.rows<struct pollfd>(1))
        return number_value(env, -EINVAL);
    return result_value(env, ph_poll(reinterpret_cast<struct pollfd *>(entries.data),
                                     static_cast<nfds_t>(count), args.number(2, -1)));
}

const Function wait_functions[] = {
    {"epollCreate", call_epoll_create},
    {"epollCtl", call_epoll_ctl},
    {"epollWait", call_epoll_wait},
    {"poll", call_poll},
    {nullptr, nullptr},
};
