/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unmodified program whose first sockets are made by several threads at once: all are of one kind.
 * A listener and a client that are on different sides (the kernel's and ours) would not meet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 8

static pthread_barrier_t together;
static int listeners[THREADS];

static void *listen_somewhere(void *at)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd;

    pthread_barrier_wait(&together);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 4) < 0)
        perror("listener");
    *(int *)at = fd;
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int refused = 0;

    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, listen_somewhere, &listeners[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        struct sockaddr_in name;
        socklen_t len = sizeof(name);
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        getsockname(listeners[i], (struct sockaddr *)&name, &len);
        if (connect(fd, (struct sockaddr *)&name, len) < 0) {
            refused++;
            printf("listener %d: %s\n", i, strerror(errno));
        }
        close(fd);
    }
    return refused != 0;
}
