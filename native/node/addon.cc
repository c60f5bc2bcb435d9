/* SPDX-License-Identifier: Apache-2.0 */
/* The module: one Environment per Node environment that loads it, and its functions. */
#include <pronghorn.h>

#include <initializer_list>

#include "environment.h"

/* Ends when the poller's handles are closed: Node waits for that before it takes the loop down. */
static void environment_free(Environment *e)
{
    napi_remove_async_cleanup_hook(e->hook);
    delete e;
}

static void environment_close(napi_async_cleanup_hook_handle, void *data)
{
    Environment *e = static_cast<Environment *>(data);
    rings_close(e);
    for (int fd : e->open)
        ph_close(fd);
    e->open.clear();
    poller_close(e, environment_free);
}

static bool export_functions(napi_env env, napi_value exports, Environment *e,
                             const Function *functions)
{
    for (const Function *f = functions; f->name; f++) {
        napi_value function;
        if (napi_create_function(env, f->name, NAPI_AUTO_LENGTH, f->call, e, &function) != napi_ok ||
            napi_set_named_property(env, exports, f->name, function) != napi_ok)
            return false;
    }
    return true;
}

static napi_value load(napi_env env, napi_value exports)
{
    Environment *e = new Environment;
    e->env = env;
    if (napi_add_async_cleanup_hook(env, environment_close, e, &e->hook) != napi_ok) {
        delete e;
        return nullptr;
    }
    for (const Function *functions : {life_functions, call_functions, data_functions,
                                      wait_functions, poller_functions, ring_functions})
        if (!export_functions(env, exports, e, functions))
            return nullptr;
    return exports;
}

NAPI_MODULE(pronghorn, load)
