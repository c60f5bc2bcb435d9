/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pronghorn/zerocopy.h - receive and send without a copy.
 *
 * Receiving: ph_recv_lend() lends the payload where the packets lie; ph_return() gives it back, in
 * any order, from any thread, also after the descriptor was closed. What is lent goes on counting
 * against the socket's receive buffer, so a borrower that does not return is pushed back: the TCP
 * window closes; datagrams that find no room are dropped and counted. When that lasts, a warning
 * names the code that borrowed. ph_stop() ends all loans: their memory must not be read after it.
 *
 * Sending: ph_send_reserve() lends room in the socket's own send memory; what is written there is
 * sent by ph_send_commit() without a further copy. One reservation per socket at a time.
 *
 * Only sockets of ours lend: any other descriptor answers EOPNOTSUPP (ENOTSOCK for an epoll).
 * Results: -1 and errno on failure, as everywhere.
 */
#ifndef PRONGHORN_ZEROCOPY_H
#define PRONGHORN_ZEROCOPY_H

#include <pronghorn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- receiving -------------------------------------------------------------------------------- */

/* Payload as it lies in a packet. Belongs to the library; the borrower may read it until ph_return(). */
struct ph_segment {
    const uint8_t *data;
    uint32_t bytes;
    uint32_t flags;   /* PH_SEGMENT_MORE */
    uint64_t time_ns; /* CLOCK_MONOTONIC, when it was taken from the port */
    uint64_t loan;    /* names the loan to ph_return() */
};

#define PH_SEGMENT_MORE 1u /* the datagram goes on in the next segment */

/* Fewer than so many segments may not be asked for: a packet's pieces are lent together. */
#define PH_SEGMENTS_MIN 64

/* Flags beside MSG_DONTWAIT. */
#define PH_LEND_ARENA 0x1000000 /* only memory of ph_arena(): what lies elsewhere is copied there */
#define PH_LEND_QUIET 0x2000000 /* no warning about loans that are not returned: the caller has its own */

/*
 * Lends what has arrived: at most `max` segments (at least PH_SEGMENTS_MIN), in order. TCP: the
 * stream's next bytes. UDP: whole datagrams, each of which ends with a segment without
 * PH_SEGMENT_MORE; an empty one is a segment of 0 bytes. Waits for the first one as recv(2) does.
 *
 * The number of segments; 0 at the end of the stream (or after shutdown); -1 with what recv(2)
 * says: EAGAIN, ECONNRESET, ENOTCONN, ... and EINVAL: `max` is too small, ENOBUFS: no memory for
 * the loans.
 */
PH_API ssize_t ph_recv_lend(int fd, struct ph_segment *segments, size_t max, int flags);

/*
 * Returns `count` segments, all or some of those of one or of several ph_recv_lend(). A packet goes
 * home when all of its segments are back. 0, or -1 with EINVAL: some were not lent (any more); all
 * others are returned nevertheless.
 */
PH_API int ph_return(const struct ph_segment *segments, size_t count);

/*
 * Where the datagram of a lent segment came from, and where it was sent to (a multicast group, say);
 * either may be NULL. Lengths as of getsockname(2). -1 with EINVAL: it is not lent any more, or it
 * is of a stream.
 */
PH_API int ph_segment_names(const struct ph_segment *segment, struct sockaddr *from,
                            socklen_t *from_len, struct sockaddr *to, socklen_t *to_len);

/* ---- sending ---------------------------------------------------------------------------------- */

/*
 * Lends `bytes` of memory in one piece, at *data, to be written and then sent by ph_send_commit().
 * An earlier reservation of the socket that was not committed is given up. Waits for room as send(2)
 * does, unless O_NONBLOCK or MSG_DONTWAIT (`flags`) says otherwise. Other threads may send() in the
 * meantime: what is committed comes after that.
 *
 * 0, or -1 with what send(2) says, and EMSGSIZE: more than fits (ph_send_reserve_max()).
 */
PH_API int ph_send_reserve(int fd, void **data, size_t bytes, int flags);

/* The most that can be reserved at once on this socket, about 3,900 bytes. -1 and EBADF, ... */
PH_API ssize_t ph_send_reserve_max(int fd);

/*
 * Sends the first `bytes` of what was reserved and takes the memory back. 0 bytes: sends nothing (on
 * UDP: an empty datagram is not sent either). MSG_MORE: more follows at once, and goes out together
 * with this, in fewer packets (TCP) or at least in one go (UDP). `to` as of sendto(2), NULL for
 * connected sockets and TCP.
 *
 * The bytes, or -1 with what send(2) says (EPIPE, ECONNRESET, EDESTADDRREQ, ...) and EINVAL: nothing
 * or less than that was reserved. After EAGAIN (no memory) the reservation stays; after any other
 * error it is gone.
 */
PH_API ssize_t ph_send_commit(int fd, size_t bytes, int flags, const struct sockaddr *to,
                              socklen_t to_len);

/*
 * Walks the way of a send of these bytes, through the stack to the point where a packet would be
 * handed to the device, and sends nothing: caches, branch predictors and pools are then as after a
 * real one. An open reservation is given up, its memory may be `data`. `to` as of sendto(2).
 * 0, or -1 with what send(2) says, and EMSGSIZE: more than ph_send_reserve_max().
 */
PH_API int ph_send_warm(int fd, const void *data, size_t bytes, const struct sockaddr *to,
                        socklen_t to_len);

/* ---- memory ----------------------------------------------------------------------------------- */

/*
 * The range of addresses that packets and send memory lie in, fixed from ph_init() to the end of the
 * process: also after ph_stop() it stays mapped once it was asked for. There may be holes in it that
 * must not be touched. 0, or -1 with ESRCH: not started.
 */
PH_API int ph_arena(void **base, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
