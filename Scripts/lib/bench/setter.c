// Sets keys of a service through configd from several connections at once, each with one request under way.
// usage: setter SOCKET CONNECTIONS COUNT; each connection N sets its own key KN COUNT times, to a new value each time.
// Prints the median time of a request, the requests a second over all connections, and how many were refused.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

enum { most = 64 };

struct connection {
    int fd;
    long sent, done;
    int64_t began;
    size_t have;
    unsigned char input[1 << 14];
};

static void ask(struct connection *one, int number) {
    char frame[512];
    // The clock's own digits: a value that the key did not have before, always of one length.
    int length = snprintf(frame + 4, sizeof frame - 4,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"set\",\"params\":{\"service\":\"gateway\","
        "\"values\":{\"K%d\":\"%020lld\"}}}", number, (long long)now());
    uint32_t header = htonl((uint32_t)length);
    memcpy(frame, &header, 4);
    one->began = now();
    if (send(one->fd, frame, (size_t)length + 4, 0) != length + 4) die("send");
    one->sent++;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: setter SOCKET CONNECTIONS COUNT\n"), 64;
    int connections = atoi(argv[2]);
    long count = atol(argv[3]), answers = 0, refused = 0;
    if (connections < 1 || connections > most) return 64;
    static struct connection all[most];
    struct pollfd polled[most];
    int64_t *times = calloc((size_t)(count * connections), sizeof *times);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    for (int i = 0; i < connections; i++) {
        all[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(all[i].fd, (struct sockaddr *)&address, sizeof address)) die(argv[1]);
        polled[i] = (struct pollfd){.fd = all[i].fd, .events = POLLIN};
    }
    int64_t start = now();
    for (int i = 0; i < connections; i++) ask(&all[i], i);
    while (answers < count * connections) {
        if (poll(polled, (nfds_t)connections, 20000) <= 0) die("no answer");
        for (int i = 0; i < connections; i++) {
            if (!(polled[i].revents & (POLLIN | POLLHUP))) continue;
            struct connection *one = &all[i];
            ssize_t got = recv(one->fd, one->input + one->have, sizeof one->input - one->have, 0);
            if (got <= 0) die("recv");
            one->have += (size_t)got;
            uint32_t length;
            if (one->have < 4) continue;
            memcpy(&length, one->input, 4);
            if (one->have < 4 + (size_t)ntohl(length)) continue;
            times[answers++] = now() - one->began;
            if (memmem(one->input, one->have, "\"error\"", 7)) refused++;
            one->have = 0;
            one->done++;
            if (one->sent < count) ask(one, i);
        }
    }
    double seconds = (double)(now() - start) / 1e9;
    qsort(times, (size_t)answers, sizeof *times, ascending);
    printf("{\"medianNs\": %lld, \"p99Ns\": %lld, \"perSecond\": %.1f, \"refused\": %ld}\n",
        (long long)times[answers / 2], (long long)times[answers * 99 / 100], (double)answers / seconds, refused);
    return 0;
}
