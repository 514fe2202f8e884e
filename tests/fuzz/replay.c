/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/replay.c -- the corpus through one target without libFuzzer. Each input also goes in cut at 64
 * places and with 256 seeded changes of a byte, so that the plain test run finds what a careless edit breaks. */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static size_t runs;

static void run(const unsigned char *p, size_t n)
{
    /* The exact size on the heap: the sanitizer sees a read past the end. */
    unsigned char *exact = malloc(n ? n : 1);
    memcpy(exact, p, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    runs++;
}

static void run_changed(unsigned char *p, size_t n)
{
    static const unsigned char bytes[] = "\"\\{}[],:0-9etfn u\x00\x1f\x7f\x80\xff\xc3\xed";
    uint64_t rng = 88172645463325252u;
    size_t changes = n > 100000 ? 8 : 256;
    run(p, n);
    for (size_t i = 0; i < 64; i++)
        run(p, n * i / 64);
    for (size_t i = 0; n && i < changes; i++) {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        size_t at = (size_t)(rng % n);
        unsigned char old = p[at];
        if (i % 2)
            p[at] = bytes[(rng >> 32) % (sizeof bytes - 1)];
        else
            p[at] = (unsigned char)(old ^ (1u << ((rng >> 40) & 7)));
        run(p, n);
        p[at] = old;
    }
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        if (f)
            fclose(f);
        return;
    }
    size_t size = (size_t)st.st_size;
    unsigned char *p = malloc(size + 1);
    size_t n = fread(p, 1, size, f);
    fclose(f);
    run_changed(p, n);
    free(p);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        size_t before = runs;
        for (struct dirent *e; d && (e = readdir(d));) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            if (e->d_name[0] != '.')
                run_file(path);
        }
        if (d)
            closedir(d);
        if (runs == before) {
            fprintf(stderr, "no inputs in %s\n", argv[i]);
            return 1;
        }
    }
    printf("%zu inputs\n", runs);
    return runs ? 0 : 1;
}
