// SPDX-License-Identifier: Apache-2.0
// pronghorn/posix: the calls of POSIX by their names, synchronous.
//
// A call that fails throws an error shaped as Node's system errors. "Not now" is no failure: the data
// calls and accept() then return AGAIN, connect() returns INPROGRESS; both are negative, so that
// `result < 0` reads as "come back later". A descriptor blocks its thread until SOCK_NONBLOCK or
// O_NONBLOCK says otherwise, as with the kernel. Memory and lists of a wrong type are ERR_INVALID_ARG_TYPE; a number
// that is none is whatever the call answers to it (EBADF for a descriptor).

import { type Address, addressInWords } from './address.js'
import { EAGAIN, EINPROGRESS, errnoException, invalidType } from './errors.js'
import { native, words } from './native.js'
import { ensureRuntime } from './runtime.js'

export type { Address } from './address.js'
export * from './constants.js'

/** What a call returns when it would have to wait: EAGAIN, negated. */
export const AGAIN = -EAGAIN
/** What connect() returns when the connection is under way: EINPROGRESS, negated. */
export const INPROGRESS = -EINPROGRESS

type Bytes = NodeJS.ArrayBufferView

function checked(result: number, syscall: string): number {
    if (result < 0) throw errnoException(result, syscall)
    return result
}

function unlessBusy(result: number, syscall: string): number {
    return result === AGAIN ? result : checked(result, syscall)
}

const MEMORY = 'an instance of Buffer, TypedArray, or DataView'

function checkNumber(name: string, value: unknown): void {
    if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
}

function checkSlice(name: string, memory: unknown, offset: unknown, length: unknown): void {
    if (!ArrayBuffer.isView(memory)) throw invalidType(name, MEMORY, memory)
    checkNumber('offset', offset)
    if (length !== undefined) checkNumber('length', length)
}

function checkList(name: string, list: unknown): void {
    if (!Array.isArray(list)) throw invalidType(name, 'an instance of Array', list)
}

function checkPieces(buffers: unknown[]): void {
    checkList('buffers', buffers)
    buffers.forEach((one, i) => {
        if (!ArrayBuffer.isView(one)) throw invalidType(`buffers[${i}]`, MEMORY, one)
    })
}

/** A descriptor of ours; starts the runtime if nobody has. */
export function socket(domain: number, type: number, protocol = 0): number {
    ensureRuntime()
    return checked(native.socket(domain, type, protocol), 'socket')
}

/** Gives it a local address; port 0: a free one. */
export function bind(fd: number, address: string, port: number): void {
    checked(native.bind(fd, address, port), 'bind')
}

/** Takes connections; `backlog` of them wait for accept() at most. */
export function listen(fd: number, backlog = 511): void {
    checked(native.listen(fd, backlog), 'listen')
}

/** A connection's descriptor, or AGAIN. Its names are asked for with getpeername() and getsockname(). */
export function accept(fd: number): number {
    return unlessBusy(native.accept(fd, 0), 'accept')
}

/** The same with SOCK_NONBLOCK and SOCK_CLOEXEC as `flags`. */
export function accept4(fd: number, flags: number): number {
    return unlessBusy(native.accept(fd, flags), 'accept')
}

/** 0 when connected, or INPROGRESS: wait for POLLOUT, then ask SO_ERROR. */
export function connect(fd: number, address: string, port: number): number {
    const result = native.connect(fd, address, port)
    return result === INPROGRESS ? result : checked(result, 'connect')
}

/** Ends one direction or both: SHUT_RD, SHUT_WR, SHUT_RDWR. */
export function shutdown(fd: number, how: number): void {
    checked(native.shutdown(fd, how), 'shutdown')
}

/** Gives the descriptor back; what was written is still sent. */
export function close(fd: number): void {
    checked(native.close(fd), 'close')
}

/** Its local address. */
export function getsockname(fd: number): Address {
    checked(native.getsockname(fd), 'getsockname')
    return addressInWords() as Address
}

/** The peer's address; ENOTCONN without one. */
export function getpeername(fd: number): Address {
    checked(native.getpeername(fd), 'getpeername')
    return addressInWords() as Address
}

/** An option whose value is an int. */
export function getsockopt(fd: number, level: number, name: number): number
/** Any other: written into `value`; how many bytes. */
export function getsockopt(fd: number, level: number, name: number, value: Uint8Array): number
export function getsockopt(fd: number, level: number, name: number, value?: Uint8Array): number {
    if (value && !ArrayBuffer.isView(value)) throw invalidType('value', MEMORY, value)
    if (value) return checked(native.getsockoptBytes(fd, level, name, value), 'getsockopt')
    checked(native.getsockopt(fd, level, name), 'getsockopt')
    return words[0] as number
}

/** An int, a yes or no, or the bytes of a structure. */
export function setsockopt(fd: number, level: number, name: number, value: number | boolean | Bytes): void {
    const isMemory = ArrayBuffer.isView(value)
    if (!isMemory && typeof value !== 'number' && typeof value !== 'boolean')
        throw invalidType('value', `of type number or boolean, or ${MEMORY}`, value)
    const result = isMemory
        ? native.setsockoptBytes(fd, level, name, value)
        : native.setsockopt(fd, level, name, Number(value))
    checked(result, 'setsockopt')
}

/** Bytes sent, or AGAIN. A broken connection is EPIPE, never a signal. */
export function send(fd: number, data: Bytes, offset = 0, length?: number, flags = 0): number {
    checkSlice('data', data, offset, length)
    return unlessBusy(native.send(fd, data, offset, length ?? data.byteLength - offset, flags), 'send')
}

/** Bytes sent to an address, or AGAIN. */
export function sendto(
    fd: number,
    data: Bytes,
    offset: number,
    length: number,
    flags: number,
    address: string,
    port: number,
): number {
    checkSlice('data', data, offset, length)
    return unlessBusy(native.sendto(fd, data, offset, length, flags, address, port), 'sendto')
}

/** Bytes received, 0 at the peer's end, or AGAIN. */
export function recv(fd: number, buffer: Bytes, offset = 0, length?: number, flags = 0): number {
    checkSlice('buffer', buffer, offset, length)
    return unlessBusy(native.recv(fd, buffer, offset, length ?? buffer.byteLength - offset, flags), 'recv')
}

/** As recv(); the sender is written into `from`. */
export function recvfrom(
    fd: number,
    buffer: Bytes,
    offset = 0,
    length?: number,
    flags = 0,
    from?: Partial<Address>,
): number {
    checkSlice('buffer', buffer, offset, length)
    const bytes = length ?? buffer.byteLength - offset
    const result = unlessBusy(native.recvfrom(fd, buffer, offset, bytes, flags), 'recvfrom')
    if (result >= 0 && from) Object.assign(from, addressInWords())
    return result
}

/** As recv() without flags. */
export function read(fd: number, buffer: Bytes, offset = 0, length?: number): number {
    checkSlice('buffer', buffer, offset, length)
    return unlessBusy(native.recv(fd, buffer, offset, length ?? buffer.byteLength - offset, 0), 'read')
}

/** As send() without flags. */
export function write(fd: number, data: Bytes, offset = 0, length?: number): number {
    checkSlice('data', data, offset, length)
    return unlessBusy(native.send(fd, data, offset, length ?? data.byteLength - offset, 0), 'write')
}

/** At most 64 buffers at a time. */
export function readv(fd: number, buffers: Bytes[]): number {
    checkPieces(buffers)
    return unlessBusy(native.readv(fd, buffers), 'readv')
}

/** At most 64 buffers at a time. */
export function writev(fd: number, buffers: Bytes[], flags = 0): number {
    checkPieces(buffers)
    return unlessBusy(native.writev(fd, buffers, flags), 'writev')
}

/** F_GETFL, F_SETFL and their like: commands with an int; EINVAL for all others. */
export function fcntl(fd: number, command: number, argument = 0): number {
    return checked(native.fcntl(fd, command, argument), 'fcntl')
}

/** Requests of sockets that read or write an int (FIONREAD, SIOCOUTQ): its value afterwards. ENOTTY for all others. */
export function ioctl(fd: number, request: number, argument = 0): number {
    checked(native.ioctl(fd, request, argument), 'ioctl')
    return words[0] as number
}

/** struct pollfd. */
export interface PollEntry {
    /** What is watched; below 0 it is passed over. */
    fd: number
    /** What for: POLLIN, POLLOUT, POLLRDHUP. */
    events: number
    /** What holds, once poll() has returned. */
    revents?: number
}

/** How many entries have `revents`. Blocks the thread; a timeout of -1 waits for ever. */
export function poll(entries: PollEntry[], timeoutMs: number): number {
    checkList('entries', entries)
    checkNumber('timeoutMs', timeoutMs)
    entries.forEach((entry, i) => {
        if (typeof entry !== 'object' || entry === null)
            throw invalidType(`entries[${i}]`, 'of type object', entry)
        checkNumber(`entries[${i}].fd`, entry.fd)
        checkNumber(`entries[${i}].events`, entry.events)
    })
    ensureRuntime()
    // struct pollfd: an int, and two shorts which make up the second one.
    const memory = new Int32Array(entries.length * 2)
    entries.forEach(({ fd, events }, i) => {
        memory[2 * i] = fd
        memory[2 * i + 1] = events & 0xffff
    })
    const count = checked(native.poll(memory, entries.length, timeoutMs), 'poll')
    entries.forEach((entry, i) => {
        entry.revents = (memory[2 * i + 1] as number) >>> 16
    })
    return count
}

/** An epoll's descriptor, which takes ours and the kernel's alike. Closed by close(). */
export function epoll_create1(flags = 0): number {
    ensureRuntime()
    return checked(native.epollCreate(flags), 'epoll_create1')
}

/** `data` is an int that comes back with each event; the descriptor by default. */
export function epoll_ctl(epfd: number, operation: number, fd: number, events = 0, data = fd): void {
    checked(native.epollCtl(epfd, operation, fd, events, data), 'epoll_ctl')
}

/** Writes pairs (data, events) into `pairs`; how many pairs. Blocks the thread. */
export function epoll_wait(epfd: number, pairs: Int32Array, timeoutMs: number): number {
    if (!ArrayBuffer.isView(pairs)) throw invalidType('pairs', 'an instance of Int32Array', pairs)
    return checked(native.epollWait(epfd, pairs, timeoutMs), 'epoll_wait')
}
