/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_cut.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdbool.h>
#include <string.h>

#define ETHER 14
#define IP6 ((size_t)40)

static uint16_t ip4_sum(const void *header, size_t bytes)
{
    uint32_t sum = 0;
    uint16_t word;

    for (size_t i = 0; i < bytes; i += 2) {
        memcpy(&word, (const uint8_t *)header + i, 2);
        sum += word;
    }
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Writes the headers of one fragment; their length. */
static size_t headers(uint8_t *out, const uint8_t *frame, size_t at, size_t part, bool more, uint32_t id)
{
    struct ip ip4;
    struct ip6_hdr ip6;
    struct ip6_frag fragment = { .ip6f_nxt = IPPROTO_TCP, .ip6f_ident = htonl(id),
                                 .ip6f_offlg = htons((uint16_t)(at | more)) };

    memcpy(out, frame, ETHER);
    if (frame[12] == 8) {
        memcpy(&ip4, frame + ETHER, sizeof(ip4));
        ip4.ip_len = htons((uint16_t)(sizeof(ip4) + part));
        ip4.ip_id = htons((uint16_t)id);
        ip4.ip_off = htons((uint16_t)(at / 8 | (more ? IP_MF : 0)));
        ip4.ip_sum = 0;
        ip4.ip_sum = ip4_sum(&ip4, sizeof(ip4));
        memcpy(out + ETHER, &ip4, sizeof(ip4));
        return ETHER + sizeof(ip4);
    }
    memcpy(&ip6, frame + ETHER, sizeof(ip6));
    ip6.ip6_nxt = IPPROTO_FRAGMENT;
    ip6.ip6_plen = htons((uint16_t)(sizeof(fragment) + part));
    memcpy(out + ETHER, &ip6, sizeof(ip6));
    memcpy(out + ETHER + sizeof(ip6), &fragment, sizeof(fragment));
    return ETHER + sizeof(ip6) + sizeof(fragment);
}

void relay_cut(const uint8_t *frame, size_t bytes, size_t most,
               void (*emit)(void *context, const uint8_t *frame, size_t bytes), void *context)
{
    static uint32_t id;
    bool ip4 = bytes > ETHER + 20 && frame[12] == 8 && frame[13] == 0 && frame[ETHER] == 0x45 &&
               frame[ETHER + 9] == IPPROTO_TCP;
    bool ip6 = bytes > ETHER + IP6 && frame[12] == 0x86 && frame[13] == 0xdd && frame[ETHER + 6] == IPPROTO_TCP;
    size_t header = ETHER + (ip4 ? 20 : IP6), whole = bytes - header;

    if ((!ip4 && !ip6) || whole <= most) {
        emit(context, frame, bytes);
        return;
    }
    id++;
    for (size_t at = 0; at < whole; at += most) {
        size_t part = whole - at < most ? whole - at : most, head;
        uint8_t out[CUT_FRAME];

        head = headers(out, frame, at, part, at + part < whole, id);
        memcpy(out + head, frame + header + at, part);
        emit(context, out, head + part);
    }
}
