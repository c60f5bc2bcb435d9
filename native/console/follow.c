/* SPDX-License-Identifier: Apache-2.0 */
#include "console/follow.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct follow {
    uint64_t next;
    bool on; /* and those to come */
};

struct follow *follow_open(struct request *request, struct json_out *answer)
{
    bool on = request_number(request, "follow", 0, 0, 1) != 0;
    struct follow *f;

    if (!request_is_sound(request, answer))
        return NULL;
    f = calloc(1, sizeof(*f));
    if (f == NULL) {
        answer_error(answer, "out of memory");
        return NULL;
    }
    f->on = on;
    answer_done(answer);
    return f;
}

bool follow_pump(struct follow *f, struct output *out)
{
    struct log_entry entry;

    while (log_read(&f->next, &entry)) {
        char line[LOG_JSON_BYTES];
        struct json_out json;
        char *room;

        json_out_init(&json, line, sizeof(line));
        log_entry_json(&json, &entry);
        room = output_take(out, json.length);
        if (room == NULL)
            return false;
        memcpy(room, line, json.length);
    }
    return f->on;
}

void follow_close(struct follow *f)
{
    free(f);
}
