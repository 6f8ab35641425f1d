// SPDX-License-Identifier: MIT
/* dlopen_time LIBRARY: prints the nanoseconds that loading takes in a fresh process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int count, char **words) {
  if (count != 2) return 2;
  long long start = now();
  void *library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
  long long end = now();
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  printf("%lld\n", end - start);
  return 0;
}
