/* SPDX-License-Identifier: Apache-2.0 */
/* Part of api_random.c: datagrams between a few sockets; they may be lost, but never altered. */
#ifndef TEST_UNIT_API_RANDOM_DATAGRAMS_H
#define TEST_UNIT_API_RANDOM_DATAGRAMS_H

#define DATAGRAM_MOST 20000

struct datagram_head {
    uint64_t seed;
    uint32_t bytes; /* of payload after the head */
    uint32_t to;
};

static int datagram_port(int i)
{
    return 5000 + i;
}

static int datagram_open(int i)
{
    struct sockaddr_storage name;
    const char *ip = addresses[i % LISTENERS];
    int fd = ph_socket(strchr(ip, ':') ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    EXPECT(fd >= 0, "socket: %s", strerror(errno));
    EXPECT(ph_bind(fd, (void *)&name, name_of(&name, ip, datagram_port(i))) == 0, "bind of %s %d: %s",
           ip, datagram_port(i), strerror(errno));
    return fd;
}

static void datagram_send(struct dice *d, int i, uint8_t *buffer)
{
    int to;
    struct datagram_head head = { dice_next(d), dice_length(d, DATAGRAM_MOST), 0 };
    struct sockaddr_storage name;
    socklen_t length;
    ssize_t sent;

    do
        to = (int)dice_roll(d, DATAGRAM_SOCKETS);
    while ((to % LISTENERS < 2) != (i % LISTENERS < 2)); /* the same family */
    head.to = (uint32_t)to;
    length = name_of(&name, addresses[to % LISTENERS], datagram_port(to));
    memcpy(buffer, &head, sizeof(head));
    stream_fill(head.seed, 0, buffer + sizeof(head), head.bytes);
    sent = ph_sendto(datagram_fds[i], buffer, sizeof(head) + head.bytes, 0, (void *)&name, length);
    EXPECT(sent == (ssize_t)(sizeof(head) + head.bytes) ||
               (sent < 0 && (errno == EAGAIN || errno == ECONNREFUSED || errno == ENOBUFS)),
           "sendto %s: %zd %s", addresses[to % LISTENERS], sent, strerror(errno));
}

static void datagram_recv(struct dice *d, int i, uint8_t *buffer)
{
    struct datagram_head head;
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    size_t room = dice_roll(d, 8) ? BUFFER : sizeof(head) + dice_length(d, DATAGRAM_MOST), have;
    ssize_t got = ph_recvfrom(datagram_fds[i], buffer, room,
                              MSG_TRUNC | (dice_roll(d, 8) ? 0 : MSG_PEEK), (void *)&from, &length);

    if (got < 0) {
        EXPECT(errno == EAGAIN || errno == ECONNREFUSED, "recvfrom: %s", strerror(errno));
        return;
    }
    have = (size_t)got < room ? (size_t)got : room;
    EXPECT((size_t)got >= sizeof(head), "a datagram of %zd bytes", got);
    memcpy(&head, buffer, sizeof(head));
    EXPECT(head.to == (uint32_t)i, "a datagram for %u at %d", head.to, i);
    EXPECT(sizeof(head) + head.bytes == (size_t)got, "a datagram of %zu arrived as %zd",
           sizeof(head) + head.bytes, got);
    EXPECT(stream_check(head.seed, 0, buffer + sizeof(head), have - sizeof(head)) == have - sizeof(head),
           "a datagram of %zd was altered", got);
    atomic_fetch_add_explicit(&counted[3], 1, memory_order_relaxed);
}

static void datagram_turn(struct dice *d, uint8_t *buffer)
{
    int i = (int)dice_roll(d, DATAGRAM_SOCKETS);

    if (pthread_mutex_trylock(&datagram_locks[i]) != 0)
        return;
    if (dice_roll(d, 200) == 0) {
        EXPECT(ph_close(datagram_fds[i]) == 0, "close: %s", strerror(errno));
        datagram_fds[i] = datagram_open(i);
    } else if (dice_roll(d, 2)) {
        datagram_send(d, i, buffer);
    } else {
        datagram_recv(d, i, buffer);
    }
    pthread_mutex_unlock(&datagram_locks[i]);
}

#endif
