/* Preloaded into a process: as long as the file $FAILING_DISK/errno holds a number, nothing can be written below
   $FAILING_DISK/state, with that number as the reason. The standard library's own calls do the rest. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int reason(void) {
    char path[4096];
    const char *folder = getenv("FAILING_DISK");
    snprintf(path, sizeof path, "%s/errno", folder ? folder : "");
    FILE *file = fopen(path, "r");
    int number = 0;
    if (file) {
        if (fscanf(file, "%d", &number) != 1) number = 0;
        fclose(file);
    }
    return number;
}

static int below_state(const char *path) {
    char state[4096];
    snprintf(state, sizeof state, "%s/state/", getenv("FAILING_DISK") ? getenv("FAILING_DISK") : "?");
    return strncmp(path, state, strlen(state)) == 0;
}

static int fails(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!below_state(path)) return 0;
    int number = reason();
    if (number) errno = number;
    return number;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int d, const void *b, size_t n) { return fails(d) ? -1 : REAL(write)(d, b, n); }
ssize_t pwrite(int d, const void *b, size_t n, off_t o) { return fails(d) ? -1 : REAL(pwrite)(d, b, n, o); }
ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) { return fails(d) ? -1 : REAL(pwrite64)(d, b, n, o); }
int fsync(int d) { return fails(d) ? -1 : REAL(fsync)(d); }
int fdatasync(int d) { return fails(d) ? -1 : REAL(fdatasync)(d); }
int ftruncate(int d, off_t l) { return fails(d) ? -1 : REAL(ftruncate)(d, l); }
int ftruncate64(int d, off64_t l) { return fails(d) ? -1 : REAL(ftruncate64)(d, l); }

static int refused(const char *path, int flags) {
    int number = (flags & O_CREAT) && below_state(path) ? reason() : 0;
    if (number) errno = number;
    return number;
}

int open(const char *path, int flags, ...) {
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, int); va_end(more);
    return refused(path, flags) ? -1 : REAL(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, int); va_end(more);
    return refused(path, flags) ? -1 : REAL(open64)(path, flags, mode);
}
