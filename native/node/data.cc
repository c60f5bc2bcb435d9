/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that carry data. Two kinds: with a buffer of the caller's (fd, buffer, offset, length,
 * flags), and over the environment's shared memory (slab to receive into, outbox to send from),
 * which saves looking the buffer up on each message.
 */
#include <sys/uio.h>

#include <pronghorn.h>

#include "address.h"
#include "args.h"

static const uint32_t MAX_PIECES = 64; /* buffers in one readv or writev */

static napi_value call_send(napi_env env, napi_callback_info info)
{
    Args<5> args(env, info);
    Bytes buffer(env, args.value[1]);
    if (!buffer.slice(args.number(2), args.number(3, -1)))
        return number_value(env, -EFAULT);
    args.e->activity++;
    return result_value(env, ph_send(args.fd(), buffer.data, buffer.bytes,
                                     args.number(4) | MSG_NOSIGNAL));
}

/* (fd, buffer, offset, length, flags, host, port) */
static napi_value call_sendto(napi_env env, napi_callback_info info)
{
    Args<7> args(env, info);
    Bytes buffer(env, args.value[1]);
    Address address;
    char host[HOST_BYTES];
    if (!buffer.slice(args.number(2), args.number(3, -1)))
        return number_value(env, -EFAULT);
    if (!address.parse(host, args.text(5, host, sizeof(host)), args.number(6, -1)))
        return number_value(env, -EINVAL);
    args.e->activity++;
    return result_value(env, ph_sendto(args.fd(), buffer.data, buffer.bytes,
                                       args.number(4) | MSG_NOSIGNAL, address.sockaddr(),
                                       address.length));
}

static napi_value call_recv(napi_env env, napi_callback_info info)
{
    Args<5> args(env, info);
    Bytes buffer(env, args.value[1]);
    if (!buffer.slice(args.number(2), args.number(3, -1)))
        return number_value(env, -EFAULT);
    return result_value(env, ph_recv(args.fd(), buffer.data, buffer.bytes, args.number(4)));
}

/* As recv; the sender's address lands in the shared words. */
static napi_value call_recvfrom(napi_env env, napi_callback_info info)
{
    Args<5> args(env, info);
    Bytes buffer(env, args.value[1]);
    Address address;
    if (!buffer.slice(args.number(2), args.number(3, -1)))
        return number_value(env, -EFAULT);
    ssize_t result = ph_recvfrom(args.fd(), buffer.data, buffer.bytes, args.number(4),
                                 address.sockaddr(), &address.length);
    if (result >= 0)
        address.to_words(args.e->words);
    return result_value(env, result);
}

/* What call_recv_datagrams() writes of each: where it lies, its length, and the sender as in the shared words. */
enum { ROW_OFFSET, ROW_LENGTH, ROW_FAMILY, ROW_PORT, ROW_SCOPE, ROW_ADDRESS, ROW_WORDS = ROW_ADDRESS + 4 };
static const size_t DATAGRAM_BYTES = 65536; /* less room might cut one off */

/*
 * (fd, buffer, offset, rows): datagrams one behind the other, from offset on. How many; why there are no more
 * lies in the words: 0 (no room), -EAGAIN, or an error, which is told only once.
 */
static napi_value call_recv_datagrams(napi_env env, napi_callback_info info)
{
    Args<4> args(env, info);
    Bytes buffer(env, args.value[1]), rows(env, args.value[3]);
    Shared *words = &args.e->words;
    size_t most = rows.rows<int32_t>(ROW_WORDS), count = 0;
    int32_t *row = reinterpret_cast<int32_t *>(rows.data), why = 0;
    int32_t offset = args.number(2);
    int fd = args.fd();

    if (!buffer.slice(offset, -1) || words->bytes < WORD_COUNT * sizeof(int32_t))
        return number_value(env, -EFAULT);
    size_t at = 0;
    while (count < most && buffer.bytes - at >= DATAGRAM_BYTES) {
        Address from;
        ssize_t length = ph_recvfrom(fd, buffer.data + at, buffer.bytes - at, MSG_DONTWAIT, from.sockaddr(),
                                     &from.length);

        if (length < 0) {
            why = -errno;
            break;
        }
        row[ROW_OFFSET] = offset + static_cast<int32_t>(at);
        row[ROW_LENGTH] = static_cast<int32_t>(length);
        from.to_words(&row[ROW_FAMILY]);
        row += ROW_WORDS;
        count++;
        at = (at + static_cast<size_t>(length) + 7) & ~static_cast<size_t>(7);
        if (at > buffer.bytes)
            break;
    }
    if (why == -EBADF)
        wait_if_dying();
    reinterpret_cast<int32_t *>(words->data)[WORD_VALUE] = why;
    return number_value(env, static_cast<int32_t>(count));
}

/* (fd, offset): into the slab, from offset to its end. */
static napi_value call_recv_slab(napi_env env, napi_callback_info info)
{
    Args<2> args(env, info);
    const Shared &slab = args.e->slab;
    size_t offset = static_cast<size_t>(args.number(1));
    if (offset >= slab.bytes)
        return number_value(env, -EFAULT);
    return result_value(env, ph_recv(args.fd(), slab.data + offset, slab.bytes - offset, 0));
}

/* (fd, length, flags): the first bytes of the outbox. */
static napi_value call_send_outbox(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    const Shared &outbox = args.e->outbox;
    size_t length = static_cast<size_t>(args.number(1));
    if (length > outbox.bytes)
        return number_value(env, -EFAULT);
    args.e->activity++;
    return result_value(env, ph_send(args.fd(), outbox.data, length,
                                     args.number(2) | MSG_NOSIGNAL));
}

/* The buffers of a JavaScript array; how many, or -errno. */
static int pieces_argument(napi_env env, napi_value array, struct iovec *pieces)
{
    uint32_t count = 0;
    if (napi_get_array_length(env, array, &count) != napi_ok)
        return -EFAULT;
    if (count > MAX_PIECES)
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        napi_value element;
        if (napi_get_element(env, array, i, &element) != napi_ok)
            return -EFAULT;
        Bytes buffer(env, element);
        if (!buffer.valid)
            return -EFAULT;
        pieces[i].iov_base = buffer.data;
        pieces[i].iov_len = buffer.bytes;
    }
    return static_cast<int>(count);
}

/* (fd, buffers, flags) */
static napi_value call_writev(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    struct iovec pieces[MAX_PIECES];
    int count = pieces_argument(env, args.value[1], pieces);
    if (count < 0)
        return number_value(env, count);
    struct msghdr msg = {};
    msg.msg_iov = pieces;
    msg.msg_iovlen = static_cast<size_t>(count);
    args.e->activity++;
    return result_value(env, ph_sendmsg(args.fd(), &msg, args.number(2) | MSG_NOSIGNAL));
}

static napi_value call_readv(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    struct iovec pieces[MAX_PIECES];
    int count = pieces_argument(env, args.value[1], pieces);
    if (count < 0)
        return number_value(env, count);
    return result_value(env, ph_readv(args.fd(), pieces, count));
}

/* Takes the memory of a typed array for as long as the environment lives or until the next one. */
static napi_value share(napi_env env, napi_value array, Shared *shared, size_t least = 0)
{
    Bytes bytes(env, array);
    napi_ref ref;
    if (bytes.rows<int32_t>(1) < least || !bytes.valid || napi_create_reference(env, array, 1, &ref) != napi_ok)
        return number_value(env, -EFAULT);
    if (shared->ref)
        napi_delete_reference(env, shared->ref);
    shared->ref = ref;
    shared->data = bytes.data;
    shared->bytes = bytes.bytes;
    return number_value(env, 0);
}

static napi_value share_words(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    return share(env, args.value[0], &args.e->words, WORD_COUNT);
}

static napi_value share_slab(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    return share(env, args.value[0], &args.e->slab);
}

static napi_value share_outbox(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    return share(env, args.value[0], &args.e->outbox);
}

const Function data_functions[] = {
    {"send", call_send},
    {"sendto", call_sendto},
    {"recv", call_recv},
    {"recvfrom", call_recvfrom},
    {"recvDatagrams", call_recv_datagrams},
    {"recvSlab", call_recv_slab},
    {"sendOutbox", call_send_outbox},
    {"writev", call_writev},
    {"readv", call_readv},
    {"shareWords", share_words},
    {"shareSlab", share_slab},
    {"shareOutbox", share_outbox},
    {nullptr, nullptr},
};
