/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one Node environment (the main thread or a worker) holds of ours: the descriptors it opened,
 * the memory it shares with its JavaScript, and its poller. Made when the module is loaded, unmade
 * by an asynchronous clean-up hook, so that a worker may end at any moment and leaves nothing open.
 * Touched by its own thread only.
 */
#ifndef PRONGHORN_NODE_ENVIRONMENT_H
#define PRONGHORN_NODE_ENVIRONMENT_H

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <vector>

#define NAPI_VERSION 8
#include <node_api.h>

#include "libuv.h"

struct Environment;
struct Rings;

/* The event loop's hold on one epoll of ours; poller.cc tells how it polls and sleeps. */
/* A callback that runs. */
struct Measured {
    int fd = -1;
    uint64_t since = 0; /* 0: it is not measured */
};

struct Poller {
    bool open = false;      /* the handles below are initialised */
    bool polling = false;   /* spinning with the loop; false: asleep until `wake` or `bound` fires */
    bool ended = false;     /* the runtime was stopped under it */
    bool stuck = false;     /* cannot run JavaScript any more (the worker is being terminated) */
    int epfd = -1;
    int32_t max_events = 0;
    int32_t *events = nullptr;     /* max_events pairs (token, events), read by JavaScript */
    std::vector<int> fds;          /* by token */
    Measured measured;             /* by JavaScript, in a loop of its own */
    uint64_t spin_ns = 0;          /* idle time before sleeping */
    uint64_t idle_since = 0;       /* 0: the last turn did something */
    uint32_t seen_activity = 0;
    napi_ref events_ref = nullptr;
    napi_ref dispatch = nullptr;   /* JavaScript: (count) => void */
    struct uv_handle_s *idle = nullptr;  /* keeps the loop from blocking while we poll */
    struct uv_handle_s *check = nullptr; /* runs after each look of the loop at the kernel */
    struct uv_handle_s *wake = nullptr;  /* the epoll's wake-up descriptor */
    struct uv_handle_s *bound = nullptr; /* the longest sleep */
    struct uv_handle_s *end = nullptr;   /* another thread stopped the runtime */
};

/* Memory of JavaScript's that calls work on without passing it each time. */
struct Shared {
    uint8_t *data = nullptr;
    size_t bytes = 0;
    napi_ref ref = nullptr;
};

struct Environment {
    napi_env env = nullptr;
    napi_async_cleanup_hook_handle hook = nullptr;
    std::unordered_set<int> open; /* descriptors opened by this environment and not closed yet */
    uint32_t activity = 0;        /* counts calls after which an answer may be near */
    Shared words;                 /* Int32Array: results that do not fit one number (args.h) */
    Shared slab;                  /* where received bytes go */
    Shared outbox;                /* where JavaScript gathers small writes */
    Rings *rings = nullptr;       /* ring.cc; made at the first use */
    Poller poller;
    unsigned closing_handles = 0;
    void (*closed)(Environment *e) = nullptr; /* after the last of them */
};

struct Function {
    const char *name;
    napi_callback call;
};

/* Each file's exported functions, ended by {nullptr, nullptr}. */
extern const Function life_functions[];
extern const Function call_functions[];
extern const Function data_functions[];
extern const Function wait_functions[];
extern const Function poller_functions[];
extern const Function ring_functions[];

/*
 * A signal is about to end the process and has stopped the runtime first: JavaScript, whose
 * descriptors are gone, stays where it is until then. Else it would see errors, throw or end by
 * itself, and the process would end with another status than by the signal.
 */
void wait_if_dying(void);

/* The runtime was stopped: wakes every environment that waits on it. Any thread. */
void pollers_end(void);

/* Returns everything that the environment's rings borrowed. */
void rings_close(Environment *e);

/* Closes the poller's handles; `done` runs when libuv has let go of them (at once if never opened). */
void poller_close(Environment *e, void (*done)(Environment *e));

#endif
