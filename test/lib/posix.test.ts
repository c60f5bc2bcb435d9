// SPDX-License-Identifier: Apache-2.0
// pronghorn/posix: the calls, what they return, what they throw.

import t from 'tap'
import * as posix from '../../lib/posix.js'
import { host, startStack } from './stack.js'

startStack()

function listener(): { fd: number; port: number } {
    const fd = posix.socket(posix.AF_INET, posix.SOCK_STREAM | posix.SOCK_NONBLOCK)
    posix.setsockopt(fd, posix.SOL_SOCKET, posix.SO_REUSEADDR, true)
    posix.bind(fd, host, 0)
    posix.listen(fd)
    return { fd, port: posix.getsockname(fd).port }
}

/** A connected pair: [client, server], blocking. */
function pair(): [number, number] {
    const { fd, port } = listener()
    const client = posix.socket(posix.AF_INET, posix.SOCK_STREAM)
    posix.connect(client, host, port)
    posix.poll([{ fd, events: posix.POLLIN }], 1000)
    const server = posix.accept(fd)
    posix.close(fd)
    return [client, server]
}

t.test('a blocking conversation', async (t) => {
    const [client, server] = pair()
    t.equal(posix.send(client, Buffer.from('hello')), 5)
    const buffer = Buffer.alloc(100)
    t.equal(posix.recv(server, buffer, 10, 50), 5)
    t.equal(buffer.toString('latin1', 10, 15), 'hello')
    t.equal(posix.recv(server, buffer, 0, 100, posix.MSG_DONTWAIT), posix.AGAIN)
    t.equal(posix.writev(client, [Buffer.from('one '), Buffer.from('two'), Buffer.alloc(0)]), 7)
    t.equal(posix.recv(server, buffer, 0, 3, posix.MSG_PEEK | posix.MSG_WAITALL), 3)
    t.equal(posix.ioctl(server, posix.FIONREAD), 7)
    // The kernel would write its answer to TCGETS, or to F_GETLK, over whatever lies there.
    t.throws(() => posix.ioctl(0, 0x5401), { code: 'ENOTTY' })
    t.throws(() => posix.fcntl(0, 5, 4096), { code: 'EINVAL' })
    const [first, second] = [Buffer.alloc(3), Buffer.alloc(10)]
    t.equal(posix.readv(server, [first, second]), 7)
    t.equal(first.toString() + second.toString('latin1', 0, 4), 'one two')
    posix.shutdown(client, posix.SHUT_WR)
    t.equal(posix.read(server, buffer), 0)
    t.equal(posix.write(server, Buffer.from('last')), 4)
    t.equal(posix.recv(client, buffer), 4)
    t.same(posix.getpeername(client), posix.getsockname(server))
    t.equal(posix.getpeername(client).family, 'IPv4')
    posix.close(client)
    posix.close(server)
})

t.test('connecting without waiting', async (t) => {
    const { fd, port } = listener()
    t.equal(posix.accept4(fd, posix.SOCK_NONBLOCK), posix.AGAIN)
    const client = posix.socket(posix.AF_INET, posix.SOCK_STREAM | posix.SOCK_NONBLOCK)
    t.ok([0, posix.INPROGRESS].includes(posix.connect(client, host, port)))
    const entries: posix.PollEntry[] = [
        { fd: client, events: posix.POLLOUT },
        { fd, events: posix.POLLIN },
    ]
    t.ok(posix.poll(entries, 1000) > 0)
    posix.poll([{ fd, events: posix.POLLIN }], 1000)
    t.equal(posix.getsockopt(client, posix.SOL_SOCKET, posix.SO_ERROR), 0)
    const server = posix.accept4(fd, posix.SOCK_NONBLOCK)
    t.ok(server >= 0)
    t.equal(posix.fcntl(server, posix.F_GETFL) & posix.O_NONBLOCK, posix.O_NONBLOCK)
    t.equal(posix.recv(server, Buffer.alloc(10)), posix.AGAIN)
    for (const one of [client, server, fd]) posix.close(one)
})

t.test('epoll', async (t) => {
    const [client, server] = pair()
    const epfd = posix.epoll_create1()
    posix.epoll_ctl(epfd, posix.EPOLL_CTL_ADD, server, posix.EPOLLIN, 77)
    const pairs = new Int32Array(16)
    t.equal(posix.epoll_wait(epfd, pairs, 0), 0)
    posix.send(client, Buffer.from('x'))
    t.equal(posix.epoll_wait(epfd, pairs, 1000), 1)
    t.same([...pairs.subarray(0, 2)], [77, posix.EPOLLIN])
    t.throws(() => posix.epoll_ctl(epfd, posix.EPOLL_CTL_ADD, server, posix.EPOLLIN), {
        code: 'EEXIST',
        syscall: 'epoll_ctl',
    })
    posix.epoll_ctl(epfd, posix.EPOLL_CTL_MOD, server, posix.EPOLLIN | posix.EPOLLET, 78)
    t.equal(posix.epoll_wait(epfd, pairs, 1000), 1)
    t.equal(posix.epoll_wait(epfd, pairs, 0), 0, 'an edge comes once')
    posix.close(client)
    t.equal(posix.epoll_wait(epfd, pairs, 1000), 1)
    posix.epoll_ctl(epfd, posix.EPOLL_CTL_DEL, server)
    posix.close(server)
    posix.close(epfd)
})

t.test('datagrams', async (t) => {
    const one = posix.socket(posix.AF_INET, posix.SOCK_DGRAM)
    const two = posix.socket(posix.AF_INET, posix.SOCK_DGRAM | posix.SOCK_NONBLOCK)
    posix.bind(one, host, 0)
    posix.bind(two, host, 0)
    const to = posix.getsockname(one)
    t.equal(posix.recvfrom(two, Buffer.alloc(10)), posix.AGAIN)
    t.equal(posix.sendto(two, Buffer.from('datagram'), 0, 8, 0, to.address, to.port), 8)
    const buffer = Buffer.alloc(100)
    const from: Partial<posix.Address> = {}
    t.equal(posix.recvfrom(one, buffer, 0, 100, 0, from), 8)
    t.same(from, posix.getsockname(two))
    const view = new DataView(Uint8Array.from([1, 2, 3, 4, 5]).buffer, 1, 3)
    t.equal(posix.sendto(two, view, 1, 2, 0, to.address, to.port), 2, 'a DataView')
    t.equal(posix.recvfrom(one, new DataView(buffer.buffer, buffer.byteOffset + 7, 10)), 2)
    t.same([...buffer.subarray(7, 9)], [3, 4])
    t.equal(posix.sendto(two, Buffer.from('longer than there is room'), 0, 25, 0, to.address, to.port), 25)
    t.equal(posix.recvfrom(one, buffer, 0, 6, posix.MSG_TRUNC), 25, 'MSG_TRUNC tells the real length')
    posix.connect(two, to.address, to.port)
    t.equal(posix.send(two, Buffer.alloc(0)), 0)
    t.equal(posix.recv(one, buffer), 0)
    posix.close(one)
    posix.close(two)
})

t.test('options', async (t) => {
    const fd = posix.socket(posix.AF_INET, posix.SOCK_STREAM)
    t.equal(posix.getsockopt(fd, posix.SOL_SOCKET, posix.SO_TYPE), posix.SOCK_STREAM)
    posix.setsockopt(fd, posix.IPPROTO_TCP, posix.TCP_NODELAY, true)
    t.equal(posix.getsockopt(fd, posix.IPPROTO_TCP, posix.TCP_NODELAY), 1)
    posix.setsockopt(fd, posix.SOL_SOCKET, posix.SO_LINGER, Int32Array.of(1, 5))
    const linger = new Uint8Array(8)
    t.equal(posix.getsockopt(fd, posix.SOL_SOCKET, posix.SO_LINGER, linger), 8)
    t.same([...new Int32Array(linger.buffer)], [1, 5])
    posix.close(fd)
})

t.test('what throws', async (t) => {
    const buffer = Buffer.alloc(10)
    t.throws(() => posix.recv(-1, buffer), {
        code: 'EBADF',
        errno: -9,
        syscall: 'recv',
        message: 'recv EBADF',
    })
    t.throws(() => posix.close(-1), { code: 'EBADF' })
    t.throws(() => posix.socket(12345, 1), { code: 'EAFNOSUPPORT' })
    const fd = posix.socket(posix.AF_INET, posix.SOCK_STREAM)
    t.throws(() => posix.bind(fd, 'nonsense', 1), { code: 'EINVAL' })
    t.throws(() => posix.bind(fd, host, 70000), { code: 'EINVAL' })
    t.throws(() => posix.recv(fd, buffer), { code: 'ENOTCONN' })
    t.throws(() => posix.send(fd, buffer, 5, 6), { code: 'EFAULT' }, 'outside of the buffer')
    t.throws(() => posix.send(fd, buffer, -1), { code: 'EFAULT' })
    t.throws(() => posix.getpeername(fd), { code: 'ENOTCONN' })
    posix.close(fd)
    t.throws(() => posix.listen(fd), { code: 'EBADF' })
    const { fd: gone, port } = listener()
    posix.close(gone)
    const client = posix.socket(posix.AF_INET, posix.SOCK_STREAM)
    t.throws(() => posix.connect(client, host, port), { code: 'ECONNREFUSED', syscall: 'connect' })
    posix.close(client)
})

t.test('a broken connection is EPIPE, not a signal', async (t) => {
    const [client, server] = pair()
    posix.setsockopt(server, posix.SOL_SOCKET, posix.SO_LINGER, Int32Array.of(1, 0))
    posix.close(server)
    posix.poll([{ fd: client, events: posix.POLLIN }], 1000)
    t.throws(() => posix.recv(client, Buffer.alloc(1)), { code: 'ECONNRESET' })
    t.throws(() => posix.send(client, Buffer.alloc(1)), { code: 'EPIPE' })
    posix.close(client)
})
