// Sends one request many times and reports the round trips: one at a time (DEPTH 1: nanoseconds, median, p99) or pipelined
// (requests a second). usage: client SOCKET REQUESTFILE COUNT DEPTH
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

static unsigned char input[1 << 22];
static size_t have, from;

static void fill(int fd) {
    if (from > 0) memmove(input, input + from, have - from), have -= from, from = 0;
    ssize_t got = recv(fd, input + have, sizeof input - have, 0);
    if (got <= 0) die("recv");
    have += (size_t)got;
}

// Takes one frame off the stream; its body's length.
static size_t take(int fd) {
    for (;;) {
        if (have - from >= 4) {
            uint32_t length;
            memcpy(&length, input + from, 4);
            length = ntohl(length);
            if (have - from >= 4 + (size_t)length) {
                from += 4 + length;
                return length;
            }
        }
        fill(fd);
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return fprintf(stderr, "usage: client SOCKET REQUESTFILE COUNT DEPTH\n"), 64;
    static unsigned char request[1 << 16], batch[1 << 22];
    FILE *file = fopen(argv[2], "rb");
    if (!file) die(argv[2]);
    size_t body = fread(request + 4, 1, sizeof request - 4, file);
    uint32_t length = htonl((uint32_t)body);
    memcpy(request, &length, 4);
    long count = atol(argv[3]), depth = atol(argv[4]);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die(argv[1]);
    int64_t *times = calloc((size_t)count, sizeof *times);
    size_t reply = 0;
    for (long i = 0; i < 200; i++) {
        if (send(fd, request, body + 4, 0) < 0) die("send");
        reply = take(fd);
    }
    int64_t start = now();
    if (depth == 1) {
        for (long i = 0; i < count; i++) {
            int64_t begin = now();
            if (send(fd, request, body + 4, 0) < 0) die("send");
            take(fd);
            times[i] = now() - begin;
        }
        qsort(times, (size_t)count, sizeof *times, ascending);
        printf("{\"medianNs\": %lld, \"p99Ns\": %lld, \"replyBytes\": %zu}\n", (long long)times[count / 2],
               (long long)times[count * 99 / 100], reply);
        return 0;
    }
    for (long i = 0; i < depth; i++) memcpy(batch + (size_t)i * (body + 4), request, body + 4);
    for (long sent = 0; sent < count; sent += depth) {
        if (send(fd, batch, (size_t)depth * (body + 4), 0) < 0) die("send");
        for (long i = 0; i < depth; i++) reply = take(fd);
    }
    printf("{\"perSecond\": %.0f, \"replyBytes\": %zu}\n", (double)count / ((double)(now() - start) / 1e9), reply);
    return 0;
}
