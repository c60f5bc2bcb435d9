/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings: received payload as it lies, for JavaScript. The arena is one ArrayBuffer; a batch is
 * rows of four doubles (offset into it, bytes, receive time in ns, 1 if the datagram goes on) written
 * into a Float64Array of JavaScript's. One crossing returns what was read and takes the next batch.
 *
 * A ring remembers its loans in the order in which they were lent, and gives them back in that order;
 * JavaScript only counts, so nothing that it does can return what is not lent.
 *
 * Templates are messages in JavaScript's memory that one call with one number sends.
 */
#include <cstring>
#include <vector>

#include <pronghorn/zerocopy.h>

#include "address.h"
#include "args.h"

static const size_t COMPACT_AT = 4096; /* returned segments at the front of the list */
static const size_t ROW = 4; /* doubles for each segment */
static const int32_t LEND_FLAGS = MSG_DONTWAIT | PH_LEND_ARENA | PH_LEND_QUIET;

struct Ring {
    int fd = -1;
    bool open = false;
    double *rows = nullptr;
    size_t most = 0; /* segments in one batch */
    napi_ref rows_ref = nullptr;
    struct ph_segment *taken = nullptr;  /* `most`: a batch as it is lent */
    std::vector<struct ph_segment> lent; /* from `first` on */
    size_t first = 0, batch = 0;         /* `batch`: where the last one begins */

    size_t held() const { return lent.size() - first; }
};

struct Template {
    int fd = -1;
    const uint8_t *data = nullptr;
    size_t bytes = 0;
    napi_ref ref = nullptr;
    Address to;
    bool named = false;
};

struct Rings {
    std::vector<Ring *> ring;
    std::vector<Template *> prepared;
    uint8_t *base = nullptr;
    size_t bytes = 0; /* from `base` on */
    napi_ref memory = nullptr;
};

static Rings *rings_of(Environment *e)
{
    if (e->rings == nullptr)
        e->rings = new Rings;
    return e->rings;
}

static void ring_give_back(Ring *r, size_t count)
{
    if (count == 0)
        return;
    ph_return(r->lent.data() + r->first, count);
    r->first += count;
    if (r->first == r->lent.size()) {
        r->lent.clear();
        r->first = 0;
    }
}

static void ring_end(napi_env env, Ring *r)
{
    ring_give_back(r, r->held());
    if (r->rows_ref)
        napi_delete_reference(env, r->rows_ref);
    r->rows_ref = nullptr;
    r->rows = nullptr;
    delete[] r->taken;
    r->taken = nullptr;
    r->open = false;
}

/* The environment ends: all that it borrowed goes home. */
void rings_close(Environment *e)
{
    if (e->rings == nullptr)
        return;
    for (Ring *r : e->rings->ring) {
        ring_give_back(r, r->held());
        delete[] r->taken;
        delete r;
    }
    for (Template *t : e->rings->prepared)
        delete t;
    delete e->rings;
    e->rings = nullptr;
}

/* The arena as an ArrayBuffer, made once; undefined where memory of ours may not be shown so. */
static napi_value ring_memory(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    Rings *rings = rings_of(args.e);
    napi_value buffer = nullptr;
    size_t bytes;
    void *base;

    if (rings->memory) {
        napi_get_reference_value(env, rings->memory, &buffer);
        return buffer;
    }
    if (ph_arena(&base, &bytes) != 0 ||
        napi_create_external_arraybuffer(env, base, bytes, nullptr, nullptr, &buffer) != napi_ok ||
        napi_create_reference(env, buffer, 1, &rings->memory) != napi_ok)
        return nullptr;
    rings->base = static_cast<uint8_t *>(base);
    rings->bytes = bytes;
    return buffer;
}

/* (fd, rows): its number. */
static napi_value ring_open(napi_env env, napi_callback_info info)
{
    Args<2> args(env, info);
    Rings *rings = rings_of(args.e);
    Bytes rows(env, args.value[1]);
    size_t most = rows.rows<double>(ROW), number = 0;

    if (most < PH_SEGMENTS_MIN || rings->base == nullptr)
        return number_value(env, -EINVAL);
    while (number < rings->ring.size() && rings->ring[number]->open)
        number++;
    if (number == rings->ring.size())
        rings->ring.push_back(new Ring);
    Ring *r = rings->ring[number];
    if (napi_create_reference(env, args.value[1], 1, &r->rows_ref) != napi_ok)
        return number_value(env, -EINVAL);
    r->fd = args.fd();
    r->rows = reinterpret_cast<double *>(rows.data);
    r->most = most;
    r->taken = new struct ph_segment[most];
    r->open = true;
    return number_value(env, static_cast<int32_t>(number));
}

static Ring *ring_argument(Environment *e, int32_t number)
{
    size_t index = static_cast<size_t>(number);

    if (e->rings == nullptr || number < 0 || index >= e->rings->ring.size() || !e->rings->ring[index]->open)
        return nullptr;
    return e->rings->ring[index];
}

/* (ring, release): gives the oldest `release` segments back, then takes a batch: how many; 0: the end. */
static napi_value ring_take(napi_env env, napi_callback_info info)
{
    Args<2> args(env, info);
    Ring *r = ring_argument(args.e, args.number(0, -1));
    size_t release = static_cast<size_t>(args.number(1));

    if (r == nullptr)
        return number_value(env, -EBADF);
    ring_give_back(r, release < r->held() ? release : r->held());
    if (r->first > COMPACT_AT && r->first > r->held()) { /* an owner that always keeps some */
        r->lent.erase(r->lent.begin(), r->lent.begin() + static_cast<ptrdiff_t>(r->first));
        r->first = 0;
    }
    ssize_t count = ph_recv_lend(r->fd, r->taken, r->most, LEND_FLAGS);
    r->batch = r->lent.size();
    if (count <= 0)
        return result_value(env, count);
    r->lent.insert(r->lent.end(), r->taken, r->taken + count);
    double *row = r->rows;
    const uint8_t *base = args.e->rings->base;
    for (const struct ph_segment *s = r->taken, *end = s + count; s != end; s++) {
        row[0] = static_cast<double>(s->data - base);
        row[1] = s->bytes;
        row[2] = static_cast<double>(s->time_ns);
        row[3] = s->flags & PH_SEGMENT_MORE;
        row += ROW;
    }
    return number_value(env, static_cast<int32_t>(count));
}

/* (ring, count): gives the oldest back; how many are still held. */
static napi_value ring_release(napi_env env, napi_callback_info info)
{
    Args<2> args(env, info);
    Ring *r = ring_argument(args.e, args.number(0, -1));
    size_t count = static_cast<size_t>(args.number(1));

    if (r == nullptr)
        return number_value(env, -EBADF);
    ring_give_back(r, count < r->held() ? count : r->held());
    return number_value(env, static_cast<int32_t>(r->held()));
}

/* (ring, index, target): the sender of a segment of the last batch, or where it was sent to, in the words. */
static napi_value ring_name(napi_env env, napi_callback_info info)
{
    Args<3> args(env, info);
    Ring *r = ring_argument(args.e, args.number(0, -1));
    int32_t index = args.number(1, -1);
    Address address;

    if (r == nullptr || index < 0)
        return number_value(env, -EINVAL);
    size_t at = r->batch + static_cast<size_t>(index);
    if (at < r->first || at >= r->lent.size()) /* it was given back, perhaps with all others */
        return number_value(env, -EINVAL);
    const struct ph_segment *s = &r->lent[at];
    int result = args.flag(2)
                     ? ph_segment_names(s, nullptr, nullptr, address.sockaddr(), &address.length)
                     : ph_segment_names(s, address.sockaddr(), &address.length, nullptr, nullptr);
    if (result == 0)
        address.to_words(args.e->words);
    return result_value(env, result);
}

static napi_value ring_close(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    Ring *r = ring_argument(args.e, args.number(0, -1));

    if (r)
        ring_end(env, r);
    return number_value(env, r ? 0 : -EBADF);
}

/* (fd): the most bytes of one reservation, and so of one template. */
static napi_value send_reserve_max(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);

    return result_value(env, ph_send_reserve_max(args.fd()));
}

/* (fd, bytes): the offset of the room in the arena. */
static napi_value send_reserve(napi_env env, napi_callback_info info)
{
    Args<2> args(env, info);
    Rings *rings = rings_of(args.e);
    napi_value offset = nullptr;
    void *room;

    if (rings->base == nullptr)
        return number_value(env, -EINVAL);
    if (ph_send_reserve(args.fd(), &room, static_cast<size_t>(args.number(1)), MSG_DONTWAIT) != 0)
        return result_value(env, -1);
    napi_create_int64(env, static_cast<uint8_t *>(room) - rings->base, &offset);
    return offset;
}

/* (fd, bytes, flags[, host, port]) */
static napi_value send_commit(napi_env env, napi_callback_info info)
{
    Args<5> args(env, info);
    Address to;
    char host[HOST_BYTES];
    int host_bytes = args.text(3, host, sizeof(host));
    bool named = host_bytes >= 0;

    if (named && !to.parse(host, host_bytes, args.number(4, -1)))
        return number_value(env, -EINVAL);
    args.e->activity++;
    return result_value(env, ph_send_commit(args.fd(), static_cast<size_t>(args.number(1)),
                                            args.number(2) | MSG_NOSIGNAL,
                                            named ? to.sockaddr() : nullptr, to.length));
}

/* (fd, bytes[, host, port]): its number. The memory is kept; what it holds when it is sent is sent. */
static napi_value template_open(napi_env env, napi_callback_info info)
{
    Args<4> args(env, info);
    Rings *rings = rings_of(args.e);
    Bytes bytes(env, args.value[1]);
    size_t number = 0;
    char host[HOST_BYTES];
    int host_bytes = args.text(2, host, sizeof(host));

    while (number < rings->prepared.size() && rings->prepared[number]->ref)
        number++;
    if (number == rings->prepared.size())
        rings->prepared.push_back(new Template);
    Template *t = rings->prepared[number];
    t->named = host_bytes >= 0;
    if (!bytes.valid || (t->named && !t->to.parse(host, host_bytes, args.number(3, -1))) ||
        napi_create_reference(env, args.value[1], 1, &t->ref) != napi_ok)
        return number_value(env, -EINVAL);
    t->fd = args.fd();
    t->data = bytes.data;
    t->bytes = bytes.bytes;
    return number_value(env, static_cast<int32_t>(number));
}

static Template *template_argument(Environment *e, int32_t number)
{
    size_t index = static_cast<size_t>(number);

    if (e->rings == nullptr || number < 0 || index >= e->rings->prepared.size() ||
        !e->rings->prepared[index]->ref)
        return nullptr;
    return e->rings->prepared[index];
}

/* (fd, offset, bytes[, host, port]): what lies there goes the way of a send, and is not sent. */
static napi_value send_warm(napi_env env, napi_callback_info info)
{
    Args<5> args(env, info);
    Rings *rings = rings_of(args.e);
    int64_t offset = -1;
    Address to;
    char host[HOST_BYTES];
    int host_bytes = args.text(3, host, sizeof(host));
    bool named = host_bytes >= 0;

    napi_get_value_int64(env, args.value[1], &offset);
    size_t at = static_cast<size_t>(offset), bytes = static_cast<size_t>(args.number(2));
    if (at >= rings->bytes || bytes > rings->bytes - at || (named && !to.parse(host, host_bytes, args.number(4, -1))))
        return number_value(env, -EINVAL);
    return result_value(env, ph_send_warm(args.fd(), rings->base + at, bytes,
                                          named ? to.sockaddr() : nullptr, to.length));
}

/* (template): the same for its message. */
static napi_value template_warm(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    Template *t = template_argument(args.e, args.number(0, -1));

    if (t == nullptr)
        return number_value(env, -EBADF);
    return result_value(env, ph_send_warm(t->fd, t->data, t->bytes, t->named ? t->to.sockaddr() : nullptr,
                                          t->to.length));
}

/* (template, flags): all of it or nothing. */
static napi_value template_send(napi_env env, napi_callback_info info)
{
    Args<2> args(env, info);
    Template *t = template_argument(args.e, args.number(0, -1));
    void *room;

    if (t == nullptr)
        return number_value(env, -EBADF);
    if (ph_send_reserve(t->fd, &room, t->bytes, MSG_DONTWAIT) != 0)
        return result_value(env, -1);
    memcpy(room, t->data, t->bytes);
    args.e->activity++;
    return result_value(env, ph_send_commit(t->fd, t->bytes, args.number(1) | MSG_NOSIGNAL,
                                            t->named ? t->to.sockaddr() : nullptr, t->to.length));
}

static napi_value template_close(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    Template *t = template_argument(args.e, args.number(0, -1));

    if (t == nullptr)
        return number_value(env, -EBADF);
    napi_delete_reference(env, t->ref);
    t->ref = nullptr;
    return number_value(env, 0);
}

const Function ring_functions[] = {
    {"ringMemory", ring_memory},
    {"ringOpen", ring_open},
    {"ringTake", ring_take},
    {"ringRelease", ring_release},
    {"ringName", ring_name},
    {"ringClose", ring_close},
    {"sendReserveMax", send_reserve_max},
    {"sendReserve", send_reserve},
    {"sendCommit", send_commit},
    {"sendWarm", send_warm},
    {"templateWarm", template_warm},
    {"templateOpen", template_open},
    {"templateSend", template_send},
    {"templateClose", template_close},
    {nullptr, nullptr},
};
