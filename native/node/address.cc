/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <arpa/inet.h>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>

static bool parse_ipv6(struct sockaddr_in6 *in6, const char *text, uint16_t port)
{
    char host[INET6_ADDRSTRLEN];
    const char *zone = strchr(text, '%');
    size_t length = zone ? static_cast<size_t>(zone - text) : strlen(text);

    if (length >= sizeof(host))
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    memset(in6, 0, sizeof(*in6));
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
        return false;
    if (zone) {
        char *end;
        unsigned long index = strtoul(zone + 1, &end, 10);
        in6->sin6_scope_id = *end ? if_nametoindex(zone + 1) : static_cast<uint32_t>(index);
    }
    return true;
}

static bool parse_path(struct sockaddr_un *un, const char *text, size_t bytes, socklen_t *length)
{
    if (bytes == 0 || bytes >= sizeof(un->sun_path))
        return false;
    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, text, bytes);
    /* An abstract name is exactly its bytes; a path ends with a zero. */
    *length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + bytes + (text[0] != 0));
    return true;
}

bool Address::parse(const char *text, int text_bytes, int port)
{
    if (text_bytes < 0)
        return false;
    if (port == PORT_OF_PATH)
        return parse_path(reinterpret_cast<struct sockaddr_un *>(&storage), text,
                          static_cast<size_t>(text_bytes), &length);
    if (port < 0 || port > 65535)
        return false;
    if (*text == '\0') {
        memset(&storage, 0, sizeof(storage));
        storage.ss_family = AF_UNSPEC;
        length = sizeof(struct sockaddr_in);
        return true;
    }
    if (strchr(text, ':')) {
        length = sizeof(struct sockaddr_in6);
        return parse_ipv6(reinterpret_cast<struct sockaddr_in6 *>(&storage), text,
                          static_cast<uint16_t>(port));
    }
    struct sockaddr_in *in = reinterpret_cast<struct sockaddr_in *>(&storage);
    memset(in, 0, sizeof(*in));
    in->sin_family = AF_INET;
    in->sin_port = htons(static_cast<uint16_t>(port));
    length = sizeof(*in);
    return inet_pton(AF_INET, text, &in->sin_addr) == 1;
}

void Address::to_words(const Shared &words) const
{
    if (words.bytes >= WORD_COUNT * sizeof(int32_t))
        to_words(reinterpret_cast<int32_t *>(words.data) + WORD_FAMILY);
}

void Address::to_words(int32_t *from_family) const
{
    int32_t *word = from_family - WORD_FAMILY;

    word[WORD_FAMILY] = 0;
    word[WORD_SCOPE] = 0;
    if (length >= sizeof(struct sockaddr_in) && storage.ss_family == AF_INET) {
        const struct sockaddr_in *in = reinterpret_cast<const struct sockaddr_in *>(&storage);
        word[WORD_FAMILY] = 4;
        word[WORD_PORT] = ntohs(in->sin_port);
        memcpy(&word[WORD_ADDRESS], &in->sin_addr, 4);
    } else if (length >= sizeof(struct sockaddr_in6) && storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = reinterpret_cast<const struct sockaddr_in6 *>(&storage);
        word[WORD_FAMILY] = 6;
        word[WORD_PORT] = ntohs(in6->sin6_port);
        word[WORD_SCOPE] = static_cast<int32_t>(in6->sin6_scope_id);
        memcpy(&word[WORD_ADDRESS], &in6->sin6_addr, 16);
    }
}
