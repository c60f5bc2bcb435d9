/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers in, numbers out. An argument that is missing or of another type reads as the given
 * default, chosen so that the call below answers an errno (a descriptor is -1: EBADF); nothing here
 * throws, and no macro returns behind the reader's back.
 */
#ifndef PRONGHORN_NODE_ARGS_H
#define PRONGHORN_NODE_ARGS_H

#include <cerrno>
#include <climits>
#include <sys/types.h>

#include "environment.h"

template <size_t N> struct Args {
    napi_env env;
    Environment *e = nullptr;
    napi_value value[N];

    Args(napi_env env_, napi_callback_info info) : env(env_)
    {
        size_t count = N;
        void *data = nullptr;
        napi_get_cb_info(env, info, &count, value, nullptr, &data);
        e = static_cast<Environment *>(data);
    }

    int32_t number(size_t i, int32_t missing = 0) const
    {
        int32_t result;
        return napi_get_value_int32(env, value[i], &result) == napi_ok ? result : missing;
    }

    int fd(size_t i = 0) const { return number(i, -1); }

    bool flag(size_t i) const
    {
        bool result = false;
        napi_get_value_bool(env, value[i], &result);
        return result;
    }

    /* A string of at most `size` - 1 bytes; its length, or -1. */
    int text(size_t i, char *to, size_t size) const
    {
        size_t length = 0;
        if (napi_get_value_string_utf8(env, value[i], to, size, &length) != napi_ok)
            return -1;
        return static_cast<int>(length);
    }
};

/* Bytes of a Uint8Array (a Buffer is one), of any other typed array, or of a DataView. */
struct Bytes {
    uint8_t *data = nullptr;
    size_t bytes = 0;
    bool valid = false;

    Bytes(napi_env env, napi_value value)
    {
        static const uint8_t shift[] = {0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3};
        napi_typedarray_type type;
        void *start;
        if (napi_get_typedarray_info(env, value, &type, &bytes, &start, nullptr, nullptr) == napi_ok) {
            if (static_cast<size_t>(type) < sizeof(shift))
                bytes <<= shift[type];
        } else if (napi_get_dataview_info(env, value, &bytes, &start, nullptr, nullptr) != napi_ok) {
            return;
        }
        static uint8_t nothing;
        data = start ? static_cast<uint8_t *>(start) : &nothing; /* empty, or detached */
        valid = true;
    }

    /* How many rows of `n` T fit, if it may be used as such (a view may begin at any byte); else 0. */
    template <typename T> size_t rows(size_t n) const
    {
        return valid && reinterpret_cast<uintptr_t>(data) % alignof(T) == 0 ? bytes / (n * sizeof(T)) : 0;
    }

    /* [offset, offset + length) lies inside; a negative length means "to the end". */
    bool slice(int32_t offset, int32_t length)
    {
        if (!valid || offset < 0 || static_cast<size_t>(offset) > bytes)
            return false;
        size_t rest = bytes - static_cast<size_t>(offset);
        if (length >= 0 && static_cast<size_t>(length) > rest)
            return false;
        data += offset;
        bytes = length < 0 ? rest : static_cast<size_t>(length);
        if (bytes > INT_MAX)
            bytes = INT_MAX;
        return true;
    }
};

inline napi_value number_value(napi_env env, int32_t number)
{
    napi_value result = nullptr;
    napi_create_int32(env, number, &result);
    return result;
}

/* What a POSIX call returned: -1 becomes -errno. */
inline napi_value result_value(napi_env env, ssize_t result)
{
    if (result >= 0)
        return number_value(env, static_cast<int32_t>(result));
    if (errno == EBADF)
        wait_if_dying();
    return number_value(env, -errno);
}

/* As above for a call that opened a descriptor: it now belongs to this environment. */
inline napi_value opened_value(Environment *e, int fd)
{
    if (fd >= 0)
        e->open.insert(fd);
    return result_value(e->env, fd);
}

#endif
