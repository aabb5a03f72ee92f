// The floor for a request's round trip: one thread, epoll, frames of our wire, and a reply that is always the same bytes.
// usage: echo SOCKET REPLYFILE
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

struct peer {
    int fd;
    size_t used;
    unsigned char bytes[1 << 16];
};

static void put(int fd, const unsigned char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return;
        bytes += sent;
        count -= (size_t)sent;
    }
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: echo SOCKET REPLYFILE\n"), 64;
    static unsigned char reply[1 << 20], batch[1 << 22];
    FILE *file = fopen(argv[2], "rb");
    if (!file) die(argv[2]);
    size_t body = fread(reply + 4, 1, sizeof reply - 4, file);
    uint32_t length = htonl((uint32_t)body);
    memcpy(reply, &length, 4);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    unlink(argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) die(argv[1]);
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event ready[64];
        int count = epoll_wait(poll, ready, 64, -1);
        for (int i = 0; i < count; i++) {
            struct peer *peer = ready[i].data.ptr;
            if (!peer) {
                struct peer *fresh = calloc(1, sizeof *fresh);
                fresh->fd = accept(listener, NULL, NULL);
                event.data.ptr = fresh;
                epoll_ctl(poll, EPOLL_CTL_ADD, fresh->fd, &event);
                continue;
            }
            ssize_t got = recv(peer->fd, peer->bytes + peer->used, sizeof peer->bytes - peer->used, 0);
            if (got <= 0) {
                close(peer->fd);
                free(peer);
                continue;
            }
            peer->used += (size_t)got;
            size_t start = 0, filled = 0;
            while (peer->used - start >= 4) {
                uint32_t wanted;
                memcpy(&wanted, peer->bytes + start, 4);
                wanted = ntohl(wanted);
                if (peer->used - start < 4 + (size_t)wanted) break;
                start += 4 + wanted;
                if (filled + body + 4 > sizeof batch) put(peer->fd, batch, filled), filled = 0;
                memcpy(batch + filled, reply, body + 4);
                filled += body + 4;
            }
            put(peer->fd, batch, filled);
            memmove(peer->bytes, peer->bytes + start, peer->used - start);
            peer->used -= start;
        }
    }
}
