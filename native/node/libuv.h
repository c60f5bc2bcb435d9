/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few functions of libuv's stable interface (every 1.x) that the poller uses. Declared here
 * because Node-API's headers do not bring uv.h, and Node's full headers are not on every machine.
 * Handles stay opaque: their size is asked of the running libuv, so one build fits every Node.
 */
#ifndef PRONGHORN_NODE_LIBUV_H
#define PRONGHORN_NODE_LIBUV_H

#include <cstddef>
#include <cstdint>

extern "C" {

struct uv_loop_s;
struct uv_handle_s;
typedef struct uv_loop_s uv_loop_t; /* the name that node_api.h knows it by */

enum { UV_ASYNC = 1, UV_CHECK = 2, UV_IDLE = 6, UV_POLL = 8, UV_TIMER = 13 };
enum { UV_READABLE = 1 };

typedef void (*uv_handle_call)(struct uv_handle_s *handle);
typedef void (*uv_poll_call)(struct uv_handle_s *handle, int status, int events);

size_t uv_handle_size(int type);
void uv_handle_set_data(struct uv_handle_s *handle, void *data);
void *uv_handle_get_data(const struct uv_handle_s *handle);
void uv_ref(struct uv_handle_s *handle);
void uv_unref(struct uv_handle_s *handle);
void uv_close(struct uv_handle_s *handle, uv_handle_call done);
uint64_t uv_hrtime(void);

int uv_async_init(uv_loop_t *loop, struct uv_handle_s *handle, uv_handle_call call);
int uv_async_send(struct uv_handle_s *handle); /* from any thread */
int uv_idle_init(uv_loop_t *loop, struct uv_handle_s *handle);
int uv_idle_start(struct uv_handle_s *handle, uv_handle_call call);
int uv_idle_stop(struct uv_handle_s *handle);
int uv_check_init(uv_loop_t *loop, struct uv_handle_s *handle);
int uv_check_start(struct uv_handle_s *handle, uv_handle_call call);
int uv_check_stop(struct uv_handle_s *handle);
int uv_timer_init(uv_loop_t *loop, struct uv_handle_s *handle);
int uv_timer_start(struct uv_handle_s *handle, uv_handle_call call, uint64_t ms, uint64_t repeat);
int uv_timer_stop(struct uv_handle_s *handle);
int uv_poll_init(uv_loop_t *loop, struct uv_handle_s *handle, int fd);
int uv_poll_start(struct uv_handle_s *handle, int events, uv_poll_call call);
}

#endif
