/* SPDX-License-Identifier: Apache-2.0 */
#include "console/latency.h"

#include <errno.h>
#include <stdlib.h>

#include "console/on_stack.h"
#include "socket/latency.h"
#include "socket/socket.h"
#include "stack/group.h"
#include "stats/segment.h"

struct choice {
    struct socket *sock; /* held until the stack has looked at it */
    int set;
    uint64_t id;
    bool chosen;
};

static void choose(struct stack *stack, void *context)
{
    struct choice *choice = context;

    choice->chosen = latency_choose(choice->sock, stack, choice->set, choice->id);
    file_put(&choice->sock->file);
}

static void release(struct stack *stack, void *context)
{
    const uint64_t *id = context;

    latency_release(stack, *id);
}

/* 1: measured from now on; 0: it is not there any more; -1: there is no set; or -ETIMEDOUT, with *silent. */
static int choose_one(uint64_t id, int fd, const struct console_settings *settings, int *silent)
{
    struct file *file = settings->use(fd);
    struct choice choice = { .id = id };
    struct stack *stack;
    int result;

    if (file == NULL || file->kind != FILE_SOCKET || (stack = socket_stack(socket_of(file))) == NULL) {
        if (file)
            file_unuse(file);
        return 0;
    }
    choice.sock = socket_of(file);
    file_hold(file);
    file_unuse(file);
    choice.set = latency_reserve();
    if (choice.set < 0) {
        file_put(file);
        return -1;
    }
    result = on_stack(stack, choose, &choice, sizeof(choice), NULL);
    if (result == 0)
        return choice.chosen;
    if (result == -ENOMEM) {
        latency_unreserve(choice.set);
        file_put(file);
        return -1;
    }
    *silent = (int)stack->id;
    return result;
}

/* "id:fd,id:fd,..." */
static bool next_pair(const char **text, uint64_t *id, int *fd)
{
    char *end;

    *id = strtoull(*text, &end, 10);
    if (end == *text || *end != ':')
        return false;
    *text = end + 1;
    *fd = (int)strtol(*text, &end, 10);
    if (end == *text || (*end != ',' && *end != '\0'))
        return false;
    *text = *end ? end + 1 : end;
    return true;
}

static void choose_all(const char *pairs, const struct console_settings *settings, struct json_out *answer)
{
    unsigned chosen = 0, gone = 0, refused = 0;
    uint64_t id;
    int fd;

    while (*pairs) {
        int silent = -1, result;

        if (!next_pair(&pairs, &id, &fd)) {
            answer_error(answer, "sockets: give id:fd,id:fd,...");
            return;
        }
        result = choose_one(id, fd, settings, &silent);
        if (result == -ETIMEDOUT) {
            answer_silent(answer, silent);
            return;
        }
        chosen += result > 0;
        gone += result == 0;
        refused += result < 0;
    }
    json_open(answer, NULL, '{');
    json_number(answer, "chosen", chosen);
    json_number(answer, "gone", gone);
    json_number(answer, "refused", refused);
    json_number(answer, "max", SEGMENT_CHOSEN_MAX);
    json_close(answer, '}');
}

void latency(struct request *request, const struct console_settings *settings, struct json_out *answer)
{
    const char *pairs = request_text(request, "sockets", "");
    const char *ids = request_text(request, "release", "");
    bool off = request_number(request, "off", 0, 0, 1) != 0;
    uint64_t id = 0;
    int silent = -1;

    if (!request_is_sound(request, answer))
        return;
    if (off) {
        silent = on_stacks(release, &id, sizeof(id));
        latency_forget_ended(0);
    }
    while (*ids && silent < 0) {
        char *end;

        id = strtoull(ids, &end, 10);
        if (id == 0 || (*end != ',' && *end != '\0')) {
            answer_error(answer, "release: give id,id,...");
            return;
        }
        ids = *end ? end + 1 : end;
        silent = on_stacks(release, &id, sizeof(id));
        latency_forget_ended(id);
    }
    if (silent >= 0) {
        answer_silent(answer, silent);
        return;
    }
    choose_all(pairs, settings, answer);
}
