/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that open, name, set and close sockets. Those that carry data are in data.cc. */
#include <asm/sockios.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <pronghorn.h>

#include "address.h"
#include "args.h"

static napi_value call_socket(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    return opened_value(args.e, ph_socket(args.number(0, -1), args.number(1), args.number(2)));
}

/* (fd, host, port) of bind and connect. */
static bool address_argument(const Args<3> &args, Address *address)
{
    char host[HOST_BYTES];
    return address->parse(host, args.text(1, host, sizeof(host)), args.number(2, -1));
}

static napi_value call_bind(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    Address address;
    if (!address_argument(args, &address))
        return number_value(env, -EINVAL);
    return result_value(env, ph_bind(args.fd(), address.sockaddr(), address.length));
}

static napi_value call_connect(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    Address address;
    if (!address_argument(args, &address))
        return number_value(env, -EINVAL);
    args.e->activity++;
    return result_value(env, ph_connect(args.fd(), address.sockaddr(), address.length));
}

static napi_value call_listen(napi_env env, napi_callback_info info)
{
    Args<2> args(env, info);
    return result_value(env, ph_listen(args.fd(), args.number(1)));
}

/* (fd, flags): the peer's name is asked for by those who need it, with getpeername. */
static napi_value call_accept(napi_env env, napi_callback_info info)
{
    Args<2> args(env, info);
    return opened_value(args.e, ph_accept4(args.fd(), nullptr, nullptr, args.number(1)));
}

static napi_value call_shutdown(napi_env env, napi_callback_info info)
{
    Args<2> args(env, info);
    return result_value(env, ph_shutdown(args.fd(), args.number(1)));
}

static napi_value call_close(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    int fd = args.fd();
    args.e->open.erase(fd);
    return result_value(env, ph_close(fd));
}

static napi_value call_getsockname(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    Address address;
    int result = ph_getsockname(args.fd(), address.sockaddr(), &address.length);
    if (result == 0)
        address.to_words(args.e->words);
    return result_value(env, result);
}

static napi_value call_getpeername(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    Address address;
    int result = ph_getpeername(args.fd(), address.sockaddr(), &address.length);
    if (result == 0)
        address.to_words(args.e->words);
    return result_value(env, result);
}

/* (fd, level, name): the value, an int, lands in words[WORD_VALUE]. */
static napi_value call_getsockopt(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    int value = 0;
    socklen_t length = sizeof(value);
    int result = ph_getsockopt(args.fd(), args.number(1), args.number(2), &value, &length);
    if (result == 0 && args.e->words.bytes)
        reinterpret_cast<int32_t *>(args.e->words.data)[WORD_VALUE] = value;
    return result_value(env, result);
}

/* (fd): stack, core, port and queue in the first words. */
static napi_value call_place(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    struct ph_place place = {};
    int result = ::ph_place(args.fd(), &place);
    if (result == 0 && args.e->words.bytes)
        memcpy(args.e->words.data, &place, sizeof(place));
    return result_value(env, result);
}

/* (fd, level, name, bytes): the value's length; for options that are no int. */
static napi_value call_getsockopt_bytes(napi_env env, napi_callback_info info)
{
    Args<4> args(env, info);
    Bytes value(env, args.value[3]);
    if (!value.valid)
        return number_value(env, -EFAULT);
    socklen_t length = static_cast<socklen_t>(value.bytes);
    int result = ph_getsockopt(args.fd(), args.number(1), args.number(2), value.data, &length);
    return result_value(env, result < 0 ? result : static_cast<int>(length));
}

static napi_value call_setsockopt(napi_env env, napi_callback_info info)
{
    Args<4> args(env, info);
    int value = args.number(3);
    return result_value(env, ph_setsockopt(args.fd(), args.number(1), args.number(2), &value,
                                           sizeof(value)));
}

static napi_value call_setsockopt_bytes(napi_env env, napi_callback_info info)
{
    Args<4> args(env, info);
    Bytes value(env, args.value[3]);
    if (!value.valid)
        return number_value(env, -EFAULT);
    return result_value(env, ph_setsockopt(args.fd(), args.number(1), args.number(2), value.data,
                                           static_cast<socklen_t>(value.bytes)));
}

/*
 * (fd, cmd, int). All others take an address: the kernel, whose descriptors come here as well, would write where a
 * number of JavaScript's points to.
 */
static napi_value call_fcntl(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    int cmd = args.number(1, -1);
    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return opened_value(args.e, ph_fcntl(args.fd(), cmd, static_cast<long>(args.number(2))));
    case F_GETFD:
    case F_SETFD:
    case F_GETFL:
    case F_SETFL:
    case F_GETOWN:
    case F_SETOWN:
    case F_GETSIG:
    case F_SETSIG:
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
        return result_value(env, ph_fcntl(args.fd(), cmd, static_cast<long>(args.number(2))));
    default:
        return number_value(env, -EINVAL);
    }
}

/* Requests that read or write an int: others of the kernel's would write more than that. */
static bool is_about_an_int(unsigned long request)
{
    switch (request) {
    case FIONBIO:
    case FIONREAD:
    case FIOASYNC:
    case FIOSETOWN:
    case FIOGETOWN:
    case SIOCSPGRP:
    case SIOCGPGRP:
    case SIOCATMARK:
    case SIOCOUTQ:
    case SIOCOUTQNSD:
        return true;
    }
    return false;
}

/* (fd, request, int): the request's answer lands in words[WORD_VALUE] (FIONREAD, SIOCOUTQ). */
static napi_value call_ioctl(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    int value = args.number(2);
    unsigned long request = static_cast<uint32_t>(args.number(1));
    if (!is_about_an_int(request))
        return number_value(env, -ENOTTY);
    int result = ph_ioctl(args.fd(), request, &value);
    if (result >= 0 && args.e->words.bytes)
        reinterpret_cast<int32_t *>(args.e->words.data)[WORD_VALUE] = value;
    return result_value(env, result);
}

const Function call_functions[] = {
    {"socket", call_socket},
    {"bind", call_bind},
    {"connect", call_connect},
    {"listen", call_listen},
    {"accept", call_accept},
    {"shutdown", call_shutdown},
    {"close", call_close},
    {"getsockname", call_getsockname},
    {"getpeername", call_getpeername},
    {"getsockopt", call_getsockopt},
    {"place", call_place},
    {"getsockoptBytes", call_getsockopt_bytes},
    {"setsockopt", call_setsockopt},
    {"setsockoptBytes", call_setsockopt_bytes},
    {"fcntl", call_fcntl},
    {"ioctl", call_ioctl},
    {nullptr, nullptr},
};
