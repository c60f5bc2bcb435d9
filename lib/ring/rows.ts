// SPDX-License-Identifier: Apache-2.0
// A segment's row in a batch: ROW numbers, at these places.

/** Into the arena. */
export const OFFSET = 0
/** In bytes. */
export const LENGTH = 1
/** When it was received, in ns of process.hrtime()'s clock. */
export const TIME = 2
/** 1: the datagram goes on in the next row. */
export const MORE = 3

/** How many numbers a row has. */
export const ROW = 4
