// SPDX-License-Identifier: Apache-2.0
// Linux's numbers for the calls of pronghorn/posix, the same on x64 and arm64.

/** No family: connect() with it ends the connection of a UDP socket. */
export const AF_UNSPEC = 0
/** Local sockets, which are the kernel's. */
export const AF_UNIX = 1
/** IPv4. */
export const AF_INET = 2
/** IPv6; IPv4 too unless IPV6_V6ONLY is set. */
export const AF_INET6 = 10

/** TCP. */
export const SOCK_STREAM = 1
/** UDP. */
export const SOCK_DGRAM = 2
/** With the type: calls return AGAIN in place of waiting. */
export const SOCK_NONBLOCK = 0x800
/** With the type: closed by exec(). */
export const SOCK_CLOEXEC = 0x80000

/** Level of the options of IPv4. */
export const IPPROTO_IP = 0
/** TCP, and the level of its options. */
export const IPPROTO_TCP = 6
/** UDP. */
export const IPPROTO_UDP = 17
/** Level of the options of IPv6. */
export const IPPROTO_IPV6 = 41

/** Of shutdown(): receives no more. */
export const SHUT_RD = 0
/** Of shutdown(): sends no more, the peer reads the end. */
export const SHUT_WR = 1
/** Of shutdown(): both. */
export const SHUT_RDWR = 2

/** Level of the options of any socket. */
export const SOL_SOCKET = 1
/** Whether bind() takes an address of connections that just ended. */
export const SO_REUSEADDR = 2
/** SOCK_STREAM or SOCK_DGRAM; to be read. */
export const SO_TYPE = 3
/** The pending error as a positive errno, 0 if there is none; reading takes it. */
export const SO_ERROR = 4
/** Whether datagrams may go to broadcast addresses. */
export const SO_BROADCAST = 6
/** Send buffer, bytes; twice what was set is read, as in Linux. */
export const SO_SNDBUF = 7
/** Receive buffer, bytes; twice what was set is read, as in Linux. */
export const SO_RCVBUF = 8
/** Whether an idle connection is probed. */
export const SO_KEEPALIVE = 9
/** struct linger, two ints: whether close() waits, and for how many seconds; 0 ends with a reset. */
export const SO_LINGER = 13
/** Whether several sockets may be bound to one address and port. */
export const SO_REUSEPORT = 15
/** How long receiving waits, struct timeval. */
export const SO_RCVTIMEO = 20
/** How long sending waits, struct timeval. */
export const SO_SNDTIMEO = 21
/** Whether it listens; to be read. */
export const SO_ACCEPTCONN = 30

/** Whether small segments are sent at once. */
export const TCP_NODELAY = 1
/** What a segment carries at most, bytes. */
export const TCP_MAXSEG = 2
/** Holds back what does not fill a segment, for at most 200 ms. */
export const TCP_CORK = 3
/** Idle time before the first probe, seconds. */
export const TCP_KEEPIDLE = 4
/** Time between two probes, seconds. */
export const TCP_KEEPINTVL = 5
/** Unanswered probes that end the connection. */
export const TCP_KEEPCNT = 6
/** What TCP knows of the connection: struct tcp_info, bytes. */
export const TCP_INFO = 11
/** Whether segments are acknowledged at once. */
export const TCP_QUICKACK = 12
/** Name of the congestion control, bytes. */
export const TCP_CONGESTION = 13
/** How long data may stay unacknowledged, milliseconds; 0: the default. */
export const TCP_USER_TIMEOUT = 18

/** Type of service of what is sent, 0 to 255. */
export const IP_TOS = 1
/** Hops that a packet may take, 1 to 255. */
export const IP_TTL = 2
/** The interface that multicast leaves by, an IPv4 address or struct ip_mreqn. */
export const IP_MULTICAST_IF = 32
/** Hops of multicast, 0 to 255. */
export const IP_MULTICAST_TTL = 33
/** Whether what is sent to a group comes to its members on this stack, too. */
export const IP_MULTICAST_LOOP = 34
/** Joins a group: struct ip_mreq or ip_mreqn. */
export const IP_ADD_MEMBERSHIP = 35
/** Leaves a group: struct ip_mreq or ip_mreqn. */
export const IP_DROP_MEMBERSHIP = 36

/** Joins a group for one source: struct ip_mreq_source. */
export const IP_ADD_SOURCE_MEMBERSHIP = 39
/** Gives up one source of a group: struct ip_mreq_source. */
export const IP_DROP_SOURCE_MEMBERSHIP = 40
/** Joins a group of either family for one source (RFC 3678): struct group_source_req. */
export const MCAST_JOIN_SOURCE_GROUP = 46
/** Gives up one source of a group of either family (RFC 3678): struct group_source_req. */
export const MCAST_LEAVE_SOURCE_GROUP = 47

/** Hops that a packet may take; -1: the default. */
export const IPV6_UNICAST_HOPS = 16
/** Number of the interface that multicast leaves by. */
export const IPV6_MULTICAST_IF = 17
/** Hops of multicast; -1: the default, 1. */
export const IPV6_MULTICAST_HOPS = 18
/** Whether what is sent to a group comes to its members on this stack, too. */
export const IPV6_MULTICAST_LOOP = 19
/** Joins a group: struct ipv6_mreq. */
export const IPV6_ADD_MEMBERSHIP = 20
/** Leaves a group: struct ipv6_mreq. */
export const IPV6_DROP_MEMBERSHIP = 21
/** Whether an IPv6 socket keeps off IPv4. Before bind(). */
export const IPV6_V6ONLY = 26
/** Traffic class of what is sent, 0 to 255; -1: the default. */
export const IPV6_TCLASS = 67

/** Leaves what is read in the queue. */
export const MSG_PEEK = 0x2
/** Returns the whole length of a datagram, however much fits. */
export const MSG_TRUNC = 0x20
/** This call does not wait. */
export const MSG_DONTWAIT = 0x40
/** Waits until the buffer is full. */
export const MSG_WAITALL = 0x100
/** More follows: a segment or datagram may wait for it. */
export const MSG_MORE = 0x8000

/** fcntl(): reads the flags. */
export const F_GETFL = 3
/** fcntl(): sets the flags. */
export const F_SETFL = 4
/** Flag: calls return AGAIN in place of waiting. */
export const O_NONBLOCK = 0x800
/** ioctl(): bytes that can be read now. */
export const FIONREAD = 0x541b
/** ioctl(): bytes sent and not acknowledged, or not sent yet. */
export const SIOCOUTQ = 0x5411

/** There is something to read, or the end. */
export const POLLIN = 0x1
/** There is room to write. */
export const POLLOUT = 0x4
/** An error waits; always told. */
export const POLLERR = 0x8
/** Both directions have ended; always told. */
export const POLLHUP = 0x10
/** The peer sends no more. */
export const POLLRDHUP = 0x2000

/** epoll_ctl(): watches a descriptor. */
export const EPOLL_CTL_ADD = 1
/** epoll_ctl(): watches it no more. */
export const EPOLL_CTL_DEL = 2
/** epoll_ctl(): changes what it is watched for. */
export const EPOLL_CTL_MOD = 3
/** There is something to read, or the end. */
export const EPOLLIN = 0x1
/** There is room to write. */
export const EPOLLOUT = 0x4
/** An error waits; always told. */
export const EPOLLERR = 0x8
/** Both directions have ended; always told. */
export const EPOLLHUP = 0x10
/** The peer sends no more. */
export const EPOLLRDHUP = 0x2000
/** Told once, until EPOLL_CTL_MOD. */
export const EPOLLONESHOT = 0x40000000
/** Told of changes only. */
export const EPOLLET = -0x80000000
