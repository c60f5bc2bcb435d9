/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's life, which is the process's: whichever environment comes first starts it, workers
 * come and go, and it ends with runtime.stop() or the process. On the ways out that run no exit
 * handlers (a signal that ends the process) a small thread stops it first, so that peers see their
 * connections end instead of falling silent.
 */
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <pthread.h>
#include <string>
#include <unistd.h>
#include <vector>

#include <pronghorn.h>

#include "args.h"

static const int ENDING_SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};
static struct sigaction previous_action[NSIG];
static int signal_pipe[2] = {-1, -1};

enum { NOT_STARTED, RUNNING, STOPPED };
static std::atomic<int> state{NOT_STARTED};

static std::atomic<bool> dying{false};

void wait_if_dying()
{
    int saved = errno;
    while (dying)
        pause();
    errno = saved;
}

static void stop()
{
    state = STOPPED;
    ph_stop();
    pollers_end();
}

/* Only what POSIX allows in a handler: pass the number on, and the next one hits hard. */
static void on_signal(int number)
{
    unsigned char byte = static_cast<unsigned char>(number);
    int saved = errno;

    sigaction(number, &previous_action[number], nullptr);
    if (write(signal_pipe[1], &byte, 1) != 1)
        raise(number);
    errno = saved;
}

static void *stop_on_signal(void *)
{
    unsigned char byte;

    while (read(signal_pipe[0], &byte, 1) != 1)
        ;
    dying = true;
    ph_stop();
    kill(getpid(), byte);
    return nullptr;
}

/*
 * Takes over the signals that would end the process anyhow: those with the default action, and
 * those on which Node's own handler sits, which restores the terminal and lets the signal through
 * (it is told by SA_RESETHAND). A handler of the program's, set before or later, is left alone.
 */
static void watch_signals()
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, old;

    if (pipe(signal_pipe) != 0)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, stop_on_signal, nullptr);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    if (error)
        return;
    pthread_setname_np(thread, "ph-signal");
    for (int number : ENDING_SIGNALS) {
        struct sigaction ours = {};
        struct sigaction *previous = &previous_action[number];
        if (sigaction(number, nullptr, previous) != 0)
            continue;
        if (previous->sa_handler != SIG_DFL && !(previous->sa_flags & SA_RESETHAND))
            continue;
        ours.sa_handler = on_signal;
        ours.sa_flags = SA_RESTART;
        sigaction(number, &ours, nullptr);
    }
}

static std::string string_element(napi_env env, napi_value array, uint32_t index)
{
    napi_value element;
    size_t length = 0;

    if (napi_get_element(env, array, index, &element) != napi_ok ||
        napi_get_value_string_utf8(env, element, nullptr, 0, &length) != napi_ok)
        return "";
    std::string result(length, '\0');
    napi_get_value_string_utf8(env, element, &result[0], length + 1, &length);
    return result;
}

/* More than there are keys; a list without end would end the process here. */
static const uint32_t MAX_SETTINGS = 4096;

/* ([key, value, key, value, ...]): 0 or -errno; error() then tells why. */
static napi_value life_init(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    uint32_t count = 0;
    std::vector<std::string> texts;
    std::vector<struct ph_setting> settings;

    napi_get_array_length(env, args.value[0], &count);
    if (count > MAX_SETTINGS)
        return number_value(env, -E2BIG);
    for (uint32_t i = 0; i < count; i++)
        texts.push_back(string_element(env, args.value[0], i));
    for (uint32_t i = 0; i + 1 < count; i += 2)
        settings.push_back({texts[i].c_str(), texts[i + 1].c_str()});
    if (ph_init(settings.data(), settings.size()) != 0)
        return number_value(env, -errno);
    state = RUNNING;
    watch_signals();
    atexit(stop);
    return number_value(env, 0);
}

static napi_value life_stop(napi_env, napi_callback_info)
{
    stop();
    return nullptr;
}

static napi_value text_value(napi_env env, const char *text)
{
    napi_value result = nullptr;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
    return result;
}

static napi_value life_error(napi_env env, napi_callback_info)
{
    return text_value(env, ph_error());
}

static napi_value life_version(napi_env env, napi_callback_info)
{
    return text_value(env, ph_version());
}

static napi_value life_state(napi_env env, napi_callback_info)
{
    return number_value(env, state);
}

/* (key): its text, or undefined. */
static napi_value life_setting(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    char key[64], text[256];

    if (args.text(0, key, sizeof(key)) < 0 || ph_setting(key, text, sizeof(text)) < 0)
        return nullptr;
    return text_value(env, text);
}

static napi_value life_turn(napi_env env, napi_callback_info)
{
    return number_value(env, ph_turn());
}

static napi_value life_owns(napi_env env, napi_callback_info info)
{
    Args<1> args(env, info);
    return number_value(env, ph_owns(args.fd()));
}

const Function life_functions[] = {
    {"init", life_init},
    {"stop", life_stop},
    {"state", life_state},
    {"error", life_error},
    {"version", life_version},
    {"setting", life_setting},
    {"turn", life_turn},
    {"owns", life_owns},
    {nullptr, nullptr},
};
