/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP echo server in C on our own stack: plain POSIX with ph_ before each call.
 *
 *     cc tcp-echo.c $(pkg-config --cflags --libs pronghorn) -o tcp-echo
 *     PRONGHORN_PORT=af_packet,iface=va,address=10.0.0.1/24 ./tcp-echo 7
 *
 * `tcp-echo version` only prints what it is linked with.
 */
#include <netinet/in.h>
#include <pronghorn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void serve(int client)
{
    char buffer[16384];
    ssize_t got;

    while ((got = ph_recv(client, buffer, sizeof(buffer), 0)) > 0) {
        for (ssize_t sent = 0; sent < got;) {
            ssize_t n = ph_send(client, buffer + sent, (size_t)(got - sent), MSG_NOSIGNAL);

            if (n < 0)
                return;
            sent += n;
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    if (argc != 2) {
        fprintf(stderr, "usage: tcp-echo PORT | version\n");
        return 2;
    }
    if (strcmp(argv[1], "version") == 0) {
        puts(ph_version());
        return 0;
    }
    /* Ports and all else come from pronghorn.json or PRONGHORN_* variables. */
    if (ph_init(NULL, 0) != 0) {
        fprintf(stderr, "%s\n", ph_error());
        return 1;
    }
    int listener = ph_socket(AF_INET, SOCK_STREAM, 0);

    address.sin_port = htons((in_port_t)atoi(argv[1]));
    if (listener < 0 || ph_bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        ph_listen(listener, 16) != 0) {
        perror("tcp-echo");
        return 1;
    }
    printf("listening on port %s\n", argv[1]);
    fflush(stdout);
    for (;;) {
        int client = ph_accept(listener, NULL, NULL);

        if (client < 0) {
            perror("accept");
            return 1;
        }
        serve(client);
        ph_close(client);
    }
}
