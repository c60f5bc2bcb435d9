/* SPDX-License-Identifier: Apache-2.0 */
#include "console/console.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/doorbell.h"
#include "base/kernel_calls.h"
#include "base/log.h"
#include "console/capture.h"
#include "console/flight_dump.h"
#include "console/follow.h"
#include "console/inject.h"
#include "console/output.h"
#include "console/request.h"
#include "console/verbs.h"
#include "platform/core.h"

#define FOLDER "/dev/shm"
#define PREFIX "pronghorn."
#define SUFFIX ".console"
#define CLIENTS_MAX 16
#define ANSWER_BYTES (1u << 20)
/* Who says nothing for so long is sent away. */
#define PATIENCE_US 5000000
/* How often captures are moved on. */
#define PUMP_US 5000

struct client {
    int fd; /* -1: free */
    char request[CONSOLE_REQUEST_BYTES];
    size_t got;
    bool asked; /* the request is whole */
    bool last;  /* nothing more comes: away when the output is */
    struct output out;
    struct capture *capture;
    struct follow *follow;
    uint64_t until_us; /* its patience ends */
};

static struct {
    struct console_settings settings;
    struct client client[CLIENTS_MAX];
    pthread_t thread;
    struct doorbell bell;
    _Atomic bool stopping;
    bool running;
    pid_t owner;
    int fd;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
} console = { .fd = -1 };

/* ---- clients ----------------------------------------------------------------------------------- */

static void leave(struct client *c)
{
    capture_close(c->capture);
    follow_close(c->follow);
    output_free(&c->out);
    kernel.close(c->fd);
    memset(c, 0, sizeof(*c));
    c->fd = -1;
}

static void answer(struct client *c, char *line)
{
    char *text = malloc(ANSWER_BYTES);
    struct output stream = { 0 };
    struct request request;
    struct json_out out;
    char *room;

    if (text == NULL) {
        c->last = true;
        return;
    }
    json_out_init(&out, text, ANSWER_BYTES);
    request_parse(&request, line);
    if (strcmp(request.verb, "capture") == 0)
        c->capture = capture_open(&request, &console.settings, &out, &stream);
    else if (strcmp(request.verb, "log") == 0)
        c->follow = follow_open(&request, &out);
    else if (!verb_run(&request, &console.settings, &out))
        answer_error(&out, "this process knows no \"%.40s\"; is the tool newer than it?", request.verb);
    if (out.cut) {
        json_out_init(&out, text, ANSWER_BYTES);
        answer_error(&out, "the answer is longer than %u KiB", ANSWER_BYTES >> 10);
    }
    json_line(&out);
    room = output_take(&c->out, out.length + output_waiting(&stream));
    if (room != NULL) {
        memcpy(room, text, out.length);
        if (stream.bytes)
            memcpy(room + out.length, stream.bytes, output_waiting(&stream));
    }
    output_free(&stream);
    free(text);
    c->last = c->capture == NULL && c->follow == NULL;
}

/* What the operator says: his request, then nothing but the end of his side. */
static void listen_to(struct client *c)
{
    char nothing[256];
    ssize_t got = c->asked ? kernel.recv(c->fd, nothing, sizeof(nothing), MSG_DONTWAIT)
                           : kernel.recv(c->fd, c->request + c->got, sizeof(c->request) - 1 - c->got, MSG_DONTWAIT);
    char *end;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        if (got == 0 && c->capture != NULL)
            capture_finish(c->capture);
        else if (!c->asked || c->follow != NULL || got < 0)
            leave(c);
        return;
    }
    if (c->asked)
        return;
    c->got += (size_t)got;
    end = memchr(c->request, '\n', c->got);
    if (end == NULL) {
        if (c->got == sizeof(c->request) - 1)
            leave(c);
        return;
    }
    *end = '\0';
    c->asked = true;
    answer(c, c->request);
}

/* Only the process's user and root: the file's mode says so, and the kernel whose they are. */
static bool may_ask(int fd)
{
    struct ucred who;
    socklen_t length = sizeof(who);

    return kernel.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 &&
           (who.uid == 0 || who.uid == geteuid());
}

static void accept_one(void)
{
    int fd = kernel.accept4(console.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &console.client[i];

        if (c->fd >= 0 || !may_ask(fd))
            continue;
        c->fd = fd;
        c->until_us = clock_now_us() + PATIENCE_US;
        return;
    }
    kernel.close(fd);
}

static void move_on(struct client *c)
{
    if (c->capture != NULL && !c->last)
        c->last = !capture_pump(c->capture, &c->out);
    if (c->follow != NULL && !c->last)
        c->last = !follow_pump(c->follow, &c->out);
    if (output_send(&c->out, c->fd) < 0 || (c->last && output_waiting(&c->out) == 0) ||
        (c->capture == NULL && c->follow == NULL && clock_now_us() > c->until_us))
        leave(c);
}

/* ---- the thread -------------------------------------------------------------------------------- */

/* Milliseconds until somebody must be looked at without having called; -1: never. */
static int next_look(int flight_ms)
{
    bool any = false, streams = false;

    for (int i = 0; i < CLIENTS_MAX; i++) {
        any |= console.client[i].fd >= 0;
        streams |= console.client[i].capture != NULL || console.client[i].follow != NULL;
    }
    if (streams)
        return PUMP_US / 1000;
    return flight_ms >= 0 || !any ? flight_ms : 1000;
}

static void *run(void *argument)
{
    core_name_thread("pronghorn-cons");
    while (!atomic_load(&console.stopping)) {
        struct pollfd fds[CLIENTS_MAX + 2] = { { .fd = console.bell.fd, .events = POLLIN },
                                               { .fd = console.fd, .events = POLLIN } };

        for (int i = 0; i < CLIENTS_MAX; i++) {
            struct client *c = &console.client[i];

            /* (A half-closed connection is readable for ever: its end was seen.) */
            fds[2 + i] = (struct pollfd){ .fd = c->fd, .events = output_waiting(&c->out) ? POLLOUT : 0 };
            if (!c->last)
                fds[2 + i].events |= POLLIN;
        }
        doorbell_arm(&console.bell);
        int flight_ms = flight_watch_look();
        if (!atomic_load(&console.stopping))
            kernel.poll(fds, CLIENTS_MAX + 2, next_look(flight_ms));
        doorbell_disarm(&console.bell);
        for (int i = 0; i < CLIENTS_MAX; i++) {
            struct client *c = &console.client[i];

            if (c->fd >= 0 && (fds[2 + i].revents & (POLLIN | POLLHUP | POLLERR)) && !c->last)
                listen_to(c);
            if (c->fd >= 0)
                move_on(c);
        }
        if (fds[1].revents & POLLIN)
            accept_one();
    }
    for (int i = 0; i < CLIENTS_MAX; i++)
        if (console.client[i].fd >= 0)
            leave(&console.client[i]);
    inject_stop();
    return NULL;
}

/* ---- life -------------------------------------------------------------------------------------- */

/* Those of killed processes: nobody listens behind the name. */
static void sweep(void)
{
    DIR *folder = opendir(FOLDER);
    struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        size_t length = strlen(entry->d_name), suffix = strlen(SUFFIX);
        int fd;

        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 || length <= suffix ||
            strcmp(entry->d_name + length - suffix, SUFFIX) != 0 || length > 64)
            continue;
        snprintf(name.sun_path, sizeof(name.sun_path), FOLDER "/%.64s", entry->d_name);
        fd = kernel.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            break;
        if (kernel.connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0 && errno == ECONNREFUSED)
            unlink(name.sun_path);
        kernel.close(fd);
    }
    if (folder != NULL)
        closedir(folder);
}

/* It gets its name when it listens already, so that nobody sweeps it away before. */
static int open_socket(void)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int result;

    snprintf(name.sun_path, sizeof(name.sun_path), FOLDER "/" PREFIX "%d.new", (int)getpid());
    snprintf(console.path, sizeof(console.path), FOLDER "/" PREFIX "%d" SUFFIX, (int)getpid());
    console.fd = kernel.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (console.fd < 0)
        return -errno;
    unlink(name.sun_path);
    /* The mode that the name will have; an umask() would be all threads'. */
    result = fchmod(console.fd, 0600);
    if (result == 0)
        result = kernel.bind(console.fd, (struct sockaddr *)&name, sizeof(name));
    if (result == 0)
        result = kernel.listen(console.fd, CLIENTS_MAX);
    if (result == 0)
        result = rename(name.sun_path, console.path);
    return result < 0 ? -errno : 0;
}

int console_start(const struct console_settings *settings)
{
    sigset_t all, before;
    int result;

    console.settings = *settings;
    console.owner = getpid();
    for (int i = 0; i < CLIENTS_MAX; i++)
        console.client[i].fd = -1;
    sweep();
    result = doorbell_open(&console.bell);
    if (result < 0)
        return result;
    atomic_store(&console.stopping, false);
    result = open_socket();
    if (result == 0) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        flight_watch_bell(&console.bell);
        result = -pthread_create(&console.thread, NULL, run, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    console.running = result == 0;
    if (result < 0) {
        flight_watch_bell(NULL);
        if (console.fd >= 0)
            kernel.close(console.fd);
        console.fd = -1;
        doorbell_close(&console.bell);
    }
    return result;
}

void console_stop(void)
{
    if (!console.running || console.owner != getpid())
        return;
    console.running = false;
    flight_watch_bell(NULL);
    unlink(console.path);
    atomic_store(&console.stopping, true);
    doorbell_ring(&console.bell);
    pthread_join(console.thread, NULL);
    kernel.close(console.fd);
    console.fd = -1;
    doorbell_close(&console.bell);
}
