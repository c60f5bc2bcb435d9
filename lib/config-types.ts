// SPDX-License-Identifier: Apache-2.0
// Made by tools/generate/config.mjs from native/config/keys.def: change it there.

/** A number of bytes; '256K', '4M' and '1G' are powers of 1024. */
export type Bytes = number | `${number}${'K' | 'M' | 'G'}`

/** One network port: its device (tap, af_packet, af_xdp, vhost, virtio_user, memif, wire, null, pcap, bond,
 * or a PCI address), and what is different from the defaults. */
export interface PortSettings {
    device: string
    /** The kernel's interface that the port stands on, or that it makes (tap). */
    iface?: string
    /** The socket or file of devices that have one (vhost, virtio_user, memif, pcap). */
    path?: string
    /** Which side of such a socket this port is. Default: auto. */
    role?: 'auto' | 'server' | 'client'
    /**
     * How long the start waits for the other side, in seconds, where the device needs it to start
     * (memif as client, virtio_user). 0 to 86400. Default: 30.
     */
    wait_s?: number
    /**
     * Tells apart several of a kind: two wire ports with the same id are its two ends. 0 to 65535.
     * Default: 0.
     */
    id?: number
    /** Devices that can: share memory with the peer. Default: off. */
    zero_copy?: boolean
    /** af_xdp: the first queue of the interface to take. 0 to 1023. Default: 0. */
    start_queue?: number
    /** bond: 1 active-backup, 4 LACP, as in the kernel. 0 to 6. Default: 1. */
    mode?: number
    /** bond: the members' names, joined by +. */
    members?: string
    /** More device arguments as DPDK knows them, name=value, joined by +. */
    arguments?: string
    /** An address of the port with its prefix length; may be repeated. */
    address?: string | string[]
    /** The way to all other networks, one for IPv4 and one for IPv6. */
    gateway?: string | string[]
    /**
     * Take addresses, gateway, MAC address and MTU over from the kernel's interface iface=, until the
     * end. Default: off.
     */
    takeover?: boolean
    /** The largest IP packet in bytes, at least 576. 0: 1500, or that taken over. 0 to 9600. Default: 0. */
    mtu?: number
    /** The MAC address. Empty: the device's own. */
    mac?: string
    /** Queue pairs. 0: one for each stack. 0 to 256. Default: 0. */
    queues?: number
    /** The stacks (counted from 0) that serve the port, joined by +. Empty: all. */
    stacks?: string | number | (string | number)[]
    /** Receive descriptors of each queue. 32 to 16384. Default: 512. */
    rx_slots?: number
    /** Transmit descriptors of each queue. 32 to 16384. Default: 512. */
    tx_slots?: number
    /**
     * Check TCP and UDP checksums of what arrives. Off where the peer leaves them to its card. Default:
     * on.
     */
    rx_checksum?: boolean
    /** Use what the device can do by itself. Default: on. */
    offload?: boolean
    /**
     * Of that, the cutting of large TCP frames: leave it to the device, and take such frames from
     * vhost-user peers. Default: on.
     */
    tso?: boolean
}

/** What docs/configuration.md describes; pronghorn.json has the same form. */
export interface Settings {
    /** The network ports, one line each, separated by semicolons; in a file a list of lines or of objects. Empty: two stacks in this process, 10.0.0.1 and 10.0.0.2 (fd00::1 and fd00::2), joined by a wire. */
    port?: string | PortSettings | (string | PortSettings)[]
    /** Unmodified programs: which of their sockets are ours, one rule each, separated by semicolons; in a file a list. The first that fits decides; docs/legacy-programs.md has their form and what holds without any. */
    route?: string | string[]
    runtime?: {
        /** A name for this process in the tools and in messages. Empty: the program's name. */
        name?: string
    }
    log?: {
        /** The least important messages that are still written. Default: info. */
        level?: 'error' | 'warning' | 'info' | 'debug'
        /** How messages are written. Default: text. */
        format?: 'text' | 'json'
        /**
         * Where messages go: a file's absolute path; it is opened for each line, so it may be moved away.
         * Empty: stderr.
         */
        file?: string
    }
    stack?: {
        /** One stack per core listed, for example 2,3 or 2-5. Empty: one stack, not pinned. */
        cores?: string | number | (string | number)[]
        /**
         * How many stacks; those beyond stack.cores are not pinned. At least one for each core listed, and
         * one in all. 0 to 64. Default: 0.
         */
        count?: number
        /** Who turns the stacks. Default: dedicated. */
        drive?: 'dedicated' | 'inline'
        /** What a stack does when there is nothing to do. Default: adaptive. */
        idle?: 'poll' | 'adaptive' | 'interrupt'
        /**
         * How long an adaptive stack goes on looking before it sleeps, in microseconds. 0 to 1000000.
         * Default: 20.
         */
        spin_us?: number
        /**
         * With stack.drive inline: the longest time that a stack is left alone by its application before a
         * helper thread turns it, in milliseconds. 1 to 1000. Default: 10.
         */
        caretaker_ms?: number
    }
    poller?: {
        /**
         * Node.js: how long an event loop goes on looking for events before it sleeps, in microseconds. 0:
         * 20 on machines with fewer than four cores, else 50. 0 to 1000000. Default: 0.
         */
        spin_us?: number
    }
    memory?: {
        /** Memory of packets and chunks in hugepages (fewer misses of the address cache). Default: auto. */
        hugepages?: 'auto' | 'on' | 'off'
        /**
         * The most memory for packets, chunks and connections of all stacks together, in MiB. 0: 64 for
         * each stack. 0 to 1048576. Default: 0.
         */
        limit_mib?: number
        /** Packet buffers of each stack. 4096 to 1048576. Default: 8192. */
        packets?: number
        /** Send chunks of 4 KiB of each stack. 256 to 1048576. Default: 4096. */
        chunks?: number
    }
    tcp?: {
        /** The least that SO_SNDBUF and automatic tuning can set. 2048 to 1073741824. Default: 4K. */
        send_buffer_min_bytes?: Bytes
        /** The send buffer of a new TCP socket. 2048 to 1073741824. Default: 256K. */
        send_buffer_default_bytes?: Bytes
        /** The most that SO_SNDBUF and automatic tuning can set. 2048 to 1073741824. Default: 4M. */
        send_buffer_max_bytes?: Bytes
        /** The least that SO_RCVBUF and automatic tuning can set. 2048 to 1073741824. Default: 4K. */
        receive_buffer_min_bytes?: Bytes
        /** The receive buffer of a new TCP socket. 2048 to 1073741824. Default: 256K. */
        receive_buffer_default_bytes?: Bytes
        /** The most that SO_RCVBUF and automatic tuning can set. 2048 to 1073741824. Default: 4M. */
        receive_buffer_max_bytes?: Bytes
        /** TCP_NODELAY of new sockets: small writes leave at once instead of being collected. Default: on. */
        nodelay?: boolean
        /**
         * The longest that an acknowledgement waits for data to travel with, in milliseconds. 1 to 500.
         * Default: 10.
         */
        delayed_ack_ms?: number
        /** The shortest retransmission time-out, in milliseconds (Linux: 200). 1 to 10000. Default: 5. */
        rto_min_ms?: number
        /** Congestion control of new sockets. Default: cubic. */
        congestion?: 'cubic' | 'reno'
        /**
         * SO_KEEPALIVE: seconds of silence before the first probe (TCP_KEEPIDLE). 1 to 32767. Default:
         * 7200.
         */
        keepalive_idle_s?: number
        /** SO_KEEPALIVE: seconds between probes (TCP_KEEPINTVL). 1 to 32767. Default: 75. */
        keepalive_interval_s?: number
        /** SO_KEEPALIVE: unanswered probes that end a connection (TCP_KEEPCNT). 1 to 127. Default: 9. */
        keepalive_probes?: number
        /**
         * How often a connection request is repeated before connect() fails with ETIMEDOUT. 1 to 127.
         * Default: 6.
         */
        syn_retries?: number
        /**
         * How often a segment is repeated before its connection fails with ETIMEDOUT. 1 to 127. Default:
         * 15.
         */
        retries?: number
        /**
         * How long a closed connection keeps its addresses from being used again, in milliseconds. 1 to
         * 240000. Default: 60000.
         */
        time_wait_ms?: number
        /** The most that listen() can ask for. 1 to 1048576. Default: 4096. */
        backlog_max?: number
        /**
         * Where the local port numbers of outgoing connections are taken from; UDP too. Default:
         * 32768-60999.
         */
        local_ports?: string
    }
    udp?: {
        /** The receive buffer (SO_RCVBUF) of a new UDP socket. 2048 to 1073741824. Default: 1M. */
        receive_buffer_bytes?: Bytes
        /** The send buffer (SO_SNDBUF) of a new UDP socket. 2048 to 1073741824. Default: 256K. */
        send_buffer_bytes?: Bytes
    }
    shim?: {
        /** Unmodified programs: what becomes of their sockets when our stacks cannot start. Default: kernel. */
        without_core?: 'kernel' | 'refuse'
    }
    fd?: {
        /** What the descriptor numbers of our sockets are. Default: kernel. */
        numbers?: 'kernel' | 'virtual'
    }
    sockets?: {
        /** The most sockets at a time; one more is ENFILE. 64 to 16777216. Default: 131072. */
        max?: number
    }
    stats?: {
        /** Counters in shared memory, which the tools read. Default: on. */
        enabled?: boolean
        /**
         * Sockets that the tools can list; those beyond work, but are not shown. 0 to 16777216. Default:
         * 131072.
         */
        sockets_max?: number
        /**
         * The same numbers through DPDK's telemetry socket, dpdk_telemetry.v2 in DPDK's runtime directory
         * (/var/run/dpdk/rte): /pronghorn/stats, /pronghorn/stack,N and others. Takes a thread. Default:
         * off.
         */
        telemetry?: boolean
    }
    flight?: {
        /**
         * The flight recorder: what each stack remembers of its last moments, in shared memory. Default:
         * packets.
         */
        record?: 'off' | 'events' | 'packets'
        /**
         * How much each stack remembers. A packet or an event takes flight.snap_bytes and 24 more. 16384 to
         * 1073741824. Default: 256K.
         */
        ring_bytes?: Bytes
        /** How much of each packet is remembered, from its beginning. 104 to 9216. Default: 104. */
        snap_bytes?: Bytes
        /** What makes the process write its flight recorder to a file by itself. Default: none. */
        trigger?: 'none' | 'retransmission' | 'reset' | 'drop' | 'latency' | 'any'
        /**
         * The trigger latency: data waited longer for the application's read, in microseconds. 1 to
         * 3600000000. Default: 10000.
         */
        latency_us?: number
        /**
         * A signal that makes the process write its flight recorder to a file: USR1, USR2, HUP, QUIT, WINCH
         * or a number. Empty: none. The program's own handler for it is replaced.
         */
        signal?: string
        /**
         * Where these files go: pronghorn-<pid>-<number>.pcapng, at most 16, at most one a second. Default:
         * /tmp.
         */
        directory?: string
    }
    trace?: {
        /** What is noted of a stack while it runs, in shared memory, for pronghorn trace. Default: none. */
        points?: string | string[]
        /**
         * The trace point slow-turn: a turn of a stack that takes longer, in microseconds. 0 to 60000000.
         * Default: 1000.
         */
        slow_turn_us?: number
        /**
         * How much of it each stack remembers, once a point was on: 64 bytes for each note. 16384 to
         * 1073741824. Default: 256K.
         */
        ring_bytes?: Bytes
    }
}
