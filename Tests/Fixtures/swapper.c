/* swapper HOME OUTSIDE SWAPS SEED: as the user who owns HOME, puts other things in the place of HOME/app/.env and of HOME/app
   while somebody writes the file: symbolic links and hard links that lead OUTSIDE, folders, pipes, other files; the same for
   whatever temporary lies beside it. Puts everything back after each swap, so that there is something to write again. Prints how
   many swaps of each kind took place. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[256], outside[256];

static const char *path(const char *folder, const char *name) {
    static char paths[8][1024];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int exchange(const char *one, const char *other) {
    return renameat2(AT_FDCWD, path(home, one), AT_FDCWD, path(home, other), RENAME_EXCHANGE);
}

static void write_file(const char *name, const char *text) {
    int file = open(path(home, name), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (file < 0) return;
    if (write(file, text, strlen(text)) < 0) perror("write");
    close(file);
}

/* A short while of random length, so that the other side is met everywhere. */
static void linger(void) { usleep(random() % 400); }

/* In the place of the temporary that lies beside the file, if one does: a link outside. */
static int swap_temporary(int with_hard_link) {
    DIR *folder = opendir(path(home, "app"));
    int swapped = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (!strstr(entry->d_name, ".mainstay-")) continue;
        char name[300];
        snprintf(name, sizeof name, "app/%s", entry->d_name);
        if (with_hard_link) {
            swapped = exchange(name, "stage/hard") == 0;
            linger();
            exchange(name, "stage/hard");
        } else {
            swapped = unlink(path(home, name)) == 0 && symlink(path(outside, ".env"), path(home, name)) == 0;
            linger();
        }
    }
    if (folder) closedir(folder);
    return swapped;
}

static int swap_once(int kind) {
    static const char *with[] = {"stage/link", "stage/hard", "stage/pipe", "stage/folder", "stage/file", "stage/dangling"};
    if (kind < 6) {
        int swapped = exchange("app/.env", with[kind]) == 0;
        linger();
        exchange("app/.env", with[kind]);
        return swapped;
    }
    switch (kind) {
    case 6: /* the folder: a link to one outside, with a file of that name in it */
    case 7: /* another folder of the same owner */
    {
        const char *other = kind == 6 ? "stage/outside" : "stage/other";
        int swapped = exchange("app", other) == 0;
        linger();
        exchange("app", other);
        return swapped;
    }
    case 8: return swap_temporary(0);
    case 9: return swap_temporary(1);
    default: /* the folder is gone for a moment */
    {
        int swapped = rename(path(home, "app"), path(home, "gone")) == 0;
        linger();
        rename(path(home, "gone"), path(home, "app"));
        return swapped;
    }
    }
}

/* Whatever a swap left, the file is a plain one of ours again. */
static void mend(const char *original) {
    struct stat status;
    if (lstat(path(home, "app/.env"), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1) return;
    if (unlink(path(home, "app/.env")) != 0 && errno == EISDIR) exchange("app/.env", "stage/file");
    write_file("app/.env", original);
}

int main(int count, char **words) {
    if (count != 5) return 64;
    snprintf(home, sizeof home, "%s", words[1]);
    snprintf(outside, sizeof outside, "%s", words[2]);
    long wanted = atol(words[3]), done[11] = {0}, total = 0;
    srandom(atol(words[4]));
    static char original[1 << 16];
    int file = open(path(home, "app/.env"), O_RDONLY);
    if (file < 0 || read(file, original, sizeof original - 1) < 0) return 1;
    close(file);
    while (total < wanted) {
        int kind = random() % 11;
        if (swap_once(kind)) {
            done[kind]++;
            total++;
        }
        mend(original);
        linger();
    }
    static const char *names[] = {"symbolic link", "hard link", "pipe", "folder", "other file", "dangling link", "folder a link",
        "other folder", "temporary a link", "temporary a hard link", "folder gone"};
    printf("{");
    for (int kind = 0; kind < 11; kind++) printf("%s\"%s\": %ld", kind ? ", " : "", names[kind], done[kind]);
    printf("}\n");
    return 0;
}
