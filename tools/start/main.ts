// SPDX-License-Identifier: Apache-2.0
/*
 * The main job. As root: our stack on one end of a veth pair, serving HTTP and UDP from TypeScript;
 * the kernel's own ping, curl and sockets on the other end, in a network namespace. Otherwise: server
 * and client in one process, on two stacks joined by the in-process wire.
 *
 *     npm start                  tries everything, prints what came out, cleans up
 *     npm start -- --serve       stays up for a second terminal until Ctrl-C
 */
import { whyNoWires } from '../net/wire.js'
import { embedded } from './embedded.js'
import { kernelPeer } from './kernel-peer.js'
import { Report } from './report.js'

const args = process.argv.slice(2)
const unknown = args.filter((arg) => !['--serve', '--embedded'].includes(arg))
if (unknown.length) {
    console.error(`npm start [-- --serve] [-- --embedded]: what is ${unknown.join(' ')}?`)
    process.exit(2)
}

const report = new Report()
const serve = args.includes('--serve')
const why = args.includes('--embedded') ? 'asked for with --embedded' : whyNoWires()
if (why === undefined) {
    await kernelPeer(report, serve)
} else {
    report.note(`No kernel on the other end (${why}): two stacks in this process instead.`)
    await embedded(report, serve)
}
console.log(report.failed === 0 ? '\nAll went well.' : `\n${report.failed} of the above failed.`)
process.exit(report.failed === 0 ? 0 : 1)
