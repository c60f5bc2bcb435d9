// SPDX-License-Identifier: Apache-2.0
// Made by tools/generate/config.mjs from native/port/vdev.def: change it there.

/** The first word of a port line, and DPDK's driver behind it. */
export const devices: Record<string, string> = {
    tap: 'net_tap',
    af_packet: 'net_af_packet',
    af_xdp: 'net_af_xdp',
    vhost: 'net_vhost',
    virtio_user: 'net_virtio_user',
    memif: 'net_memif',
    wire: '',
    null: 'net_null',
    pcap: 'net_pcap',
    bond: 'net_bonding',
}
