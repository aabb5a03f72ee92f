/* LD_PRELOAD=same_files.so SAME_FILES=INODE=INODE:SECONDS:NANOSECONDS,…: files that were made anew are seen as those that they
   stand for, by the inode and the time of change that those had. A power cut changes neither, and nobody can set them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int as_known(int result, struct stat *status) {
    const char *known = getenv("SAME_FILES");
    for (; result == 0 && known && *known; known = strchr(known, ',') ? strchr(known, ',') + 1 : NULL) {
        char *next;
        if (strtoull(known, &next, 10) != status->st_ino || *next != '=') continue;
        status->st_ino = strtoull(next + 1, &next, 10);
        status->st_ctim.tv_sec = strtoll(next + 1, &next, 10);
        status->st_ctim.tv_nsec = strtoll(next + 1, &next, 10);
        break;
    }
    return result;
}

int fstat(int file, struct stat *status) {
    int (*real)(int, struct stat *) = (int (*)(int, struct stat *))dlsym(RTLD_NEXT, "fstat");
    return as_known(real(file, status), status);
}

int fstatat(int folder, const char *restrict name, struct stat *restrict status, int flags) {
    int (*real)(int, const char *, struct stat *, int) =
        (int (*)(int, const char *, struct stat *, int))dlsym(RTLD_NEXT, "fstatat");
    return as_known(real(folder, name, status, flags), status);
}
