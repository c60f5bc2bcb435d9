/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses cross as text and port on the way in, and as seven numbers (in the shared words, mostly) on the
 * way out, which JavaScript turns into text only when somebody asks (lib/address.ts has the twin).
 */
#ifndef PRONGHORN_NODE_ADDRESS_H
#define PRONGHORN_NODE_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

#include "environment.h"

/* Indices into the shared words. */
enum {
    WORD_VALUE = 0,   /* an option's value */
    WORD_FAMILY = 1,  /* 4, 6, or 0: no address */
    WORD_PORT = 2,
    WORD_SCOPE = 3,
    WORD_ADDRESS = 4, /* four words, network order as they lie in memory */
    WORD_COUNT = 8
};

/* In place of a port number: the text is the path of a local socket, which is the kernel's. */
enum { PORT_OF_PATH = -2 };
/* Room for an address's text: a path is the longest. */
enum { HOST_BYTES = sizeof(sockaddr_un::sun_path) + 1 };

struct Address {
    struct sockaddr_storage storage;
    socklen_t length = sizeof(storage);

    struct sockaddr *sockaddr() { return reinterpret_cast<struct sockaddr *>(&storage); }

    /*
     * From "192.0.2.1", "2001:db8::1" or "fe80::1%eth0"; "" is AF_UNSPEC, with which connect(2)
     * undoes a connection of a datagram socket. With PORT_OF_PATH, a path; one that begins with a zero
     * byte is abstract (unix(7)). False if it is none of these.
     */
    bool parse(const char *text, int text_bytes, int port);

    void to_words(const Shared &words) const;
    /* The seven from WORD_FAMILY on, anywhere. */
    void to_words(int32_t *from_family) const;
};

#endif
