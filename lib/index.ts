// SPDX-License-Identifier: Apache-2.0
// pronghorn: the runtime of the process. Sockets are in pronghorn/net and pronghorn/posix.

export type { Options, PortOptions } from './options.js'
export { runtime } from './runtime.js'
