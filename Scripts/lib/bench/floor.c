// The least that replaces a file durably: a temporary of BYTES, fsync, rename, fsync of the folder; COUNT times.
// usage: floor FILE BYTES COUNT; prints the median in nanoseconds.
#define _GNU_SOURCE
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: floor FILE BYTES COUNT\n"), 64;
    size_t bytes = (size_t)atol(argv[2]);
    long count = atol(argv[3]);
    char temporary[4096], parent[4096], *content = malloc(bytes);
    memset(content, 'x', bytes);
    snprintf(temporary, sizeof temporary, "%s.floor", argv[1]);
    snprintf(parent, sizeof parent, "%s", argv[1]);
    int folder = open(dirname(parent), O_RDONLY | O_DIRECTORY);
    if (folder < 0) die("open");
    int64_t *times = calloc((size_t)count, sizeof *times);
    for (long i = 0; i < count; i++) {
        int64_t began = now();
        int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (file < 0 || write(file, content, bytes) != (ssize_t)bytes || fsync(file) || close(file)) die("write");
        if (rename(temporary, argv[1]) || fsync(folder)) die("rename");
        times[i] = now() - began;
    }
    qsort(times, (size_t)count, sizeof *times, ascending);
    printf("%lld\n", (long long)times[count / 2]);
    return 0;
}
