/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See paths.h. A table of fixed size, of sets of four: who learns takes the set's lock, who looks reads
 * again if the set changed meanwhile (its `sequence` is odd while it does). Nearly always the table is
 * empty, and a look is one load.
 */
#include "lwip/paths.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/lock.h"

#define SETS 64
#define WAYS 4
/* As Linux (ip-sysctl: mtu_expires, min_pmtu) and RFC 8200 5. */
#define LASTS_US (600 * UINT64_C(1000000))
#define LEAST_IP4 552
#define LEAST_IP6 1280

struct path {
    _Atomic uint64_t address[2];
    _Atomic uint64_t until_us; /* 0: free */
    _Atomic uint32_t bytes;    /* of the address */
    _Atomic uint16_t mtu;
    _Atomic bool fixed;
};

struct set {
    _Atomic uint32_t sequence;
    struct path paths[WAYS];
};

struct paths {
    _Atomic bool used;
    struct lock lock; /* of those who learn */
    struct set sets[SETS];
};

struct key {
    uint64_t word[2];
    unsigned bytes;
};

static struct key key_of(const void *address, unsigned bytes)
{
    struct key key = { .bytes = bytes };

    memcpy(key.word, address, bytes);
    return key;
}

static unsigned set_of(const struct key *key)
{
    uint64_t sum = (key->word[0] ^ (key->word[1] * UINT64_C(0xff51afd7ed558ccd))) * UINT64_C(0xc4ceb9fe1a85ec53);

    return (unsigned)(sum >> 58); /* of 64 sets */
}

static bool is_of(const struct path *path, const struct key *key, uint64_t now_us)
{
    return atomic_load_explicit(&path->until_us, memory_order_relaxed) > now_us &&
           atomic_load_explicit(&path->bytes, memory_order_relaxed) == key->bytes &&
           atomic_load_explicit(&path->address[0], memory_order_relaxed) == key->word[0] &&
           atomic_load_explicit(&path->address[1], memory_order_relaxed) == key->word[1];
}

struct paths *paths_create(void)
{
    return calloc(1, sizeof(struct paths));
}

void paths_destroy(struct paths *paths)
{
    free(paths);
}

uint16_t paths_find(const struct paths *paths, const void *address, unsigned bytes, uint64_t now_us, bool *fixed)
{
    const struct set *set;
    struct key key;

    if (fixed)
        *fixed = false;
    if (LIKELY(paths == NULL || !atomic_load_explicit(&paths->used, memory_order_acquire)))
        return 0;
    key = key_of(address, bytes);
    set = &paths->sets[set_of(&key)];
    for (;;) {
        uint32_t before = atomic_load_explicit(&set->sequence, memory_order_acquire);
        uint16_t mtu = 0;
        bool is_fixed = false;

        for (unsigned i = 0; i < WAYS; i++) {
            if (!is_of(&set->paths[i], &key, now_us))
                continue;
            mtu = atomic_load_explicit(&set->paths[i].mtu, memory_order_relaxed);
            is_fixed = atomic_load_explicit(&set->paths[i].fixed, memory_order_relaxed);
        }
        atomic_thread_fence(memory_order_acquire);
        if ((before & 1) || atomic_load_explicit(&set->sequence, memory_order_relaxed) != before) {
            cpu_relax();
            continue;
        }
        if (fixed)
            *fixed = is_fixed;
        return mtu;
    }
}

/* Under the lock: the path's own place, or the one that is soonest over. */
static struct path *place_of(struct set *set, const struct key *key, uint64_t now_us)
{
    struct path *place = &set->paths[0];

    for (unsigned i = 0; i < WAYS; i++) {
        struct path *path = &set->paths[i];

        if (is_of(path, key, now_us))
            return path;
        if (atomic_load_explicit(&path->until_us, memory_order_relaxed) <
            atomic_load_explicit(&place->until_us, memory_order_relaxed))
            place = path;
    }
    return place;
}

static void put(struct set *set, struct path *path, const struct key *key, uint16_t mtu, bool fixed, uint64_t until_us)
{
    uint32_t sequence = atomic_load_explicit(&set->sequence, memory_order_relaxed);

    atomic_store_explicit(&set->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&path->address[0], key->word[0], memory_order_relaxed);
    atomic_store_explicit(&path->address[1], key->word[1], memory_order_relaxed);
    atomic_store_explicit(&path->bytes, key->bytes, memory_order_relaxed);
    atomic_store_explicit(&path->mtu, mtu, memory_order_relaxed);
    atomic_store_explicit(&path->fixed, fixed, memory_order_relaxed);
    atomic_store_explicit(&path->until_us, until_us, memory_order_relaxed);
    atomic_store_explicit(&set->sequence, sequence + 2, memory_order_release);
}

bool paths_learn(struct paths *paths, const void *address, unsigned bytes, uint32_t told, uint16_t link_mtu,
                 uint64_t now_us)
{
    struct key key = key_of(address, bytes);
    bool is_ip4 = bytes == 4, fixed = false, learns = false;
    struct set *set;
    uint32_t known;

    if (paths == NULL)
        return false;
    set = &paths->sets[set_of(&key)];
    lock_take(&paths->lock);
    known = paths_find(paths, address, bytes, now_us, &fixed);
    if (known == 0 || known > link_mtu)
        known = link_mtu;
    if (is_ip4 ? !fixed && told <= known : told < known && told >= LEAST_IP6) {
        fixed = is_ip4 && told < LEAST_IP4;
        if (fixed)
            told = min_u32(known, LEAST_IP4);
        put(set, place_of(set, &key, now_us), &key, (uint16_t)told, fixed, now_us + LASTS_US);
        atomic_store_explicit(&paths->used, true, memory_order_release);
        learns = true;
    }
    lock_give(&paths->lock);
    return learns;
}
