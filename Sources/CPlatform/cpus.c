/* SPDX-License-Identifier: MIT
 *
 * How many CPUs this process may use. Sources: sched_getaffinity(2); cgroups(7), "cpu.max" of
 * version 2 and "cpu.cfs_quota_us" / "cpu.cfs_period_us" of version 1.
 */
#include "CPlatform.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t affinity(void) {
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (set == NULL) break;
    size_t size = CPU_ALLOC_SIZE(cpus);
    int failed = sched_getaffinity(0, size, set), error = errno;
    uint32_t count = failed ? 0 : (uint32_t)CPU_COUNT_S(size, set);
    CPU_FREE(set);
    if (!failed) return count;
    if (error != EINVAL) break; /* EINVAL: more CPUs than the set can hold */
  }
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (uint32_t)online : 1;
}

/* The first one or two numbers of a file; returns how many were there ("max" is none). */
static int numbers(const char *folder, const char *file, double *a, double *b) {
  char path[4400];
  if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path) return 0;
  FILE *f = fopen(path, "re");
  if (f == NULL) return 0;
  int n = fscanf(f, "%lf %lf", a, b);
  fclose(f);
  return n < 0 ? 0 : n;
}

/* Tightest quota from `group` up to the root of the hierarchy mounted at `mount`. */
static double quota(const char *mount, char *group, int version) {
  double least = HUGE_VAL;
  for (;;) {
    char folder[4300];
    if (snprintf(folder, sizeof folder, "%s%s", mount, group) < (int)sizeof folder) {
      double limit, period, rest;
      int known = version == 2 ? numbers(folder, "cpu.max", &limit, &period) == 2
                               : numbers(folder, "cpu.cfs_quota_us", &limit, &rest) >= 1 &&
                                     numbers(folder, "cpu.cfs_period_us", &period, &rest) >= 1;
      if (known && limit > 0 && period > 0 && limit / period < least) least = limit / period;
    }
    char *slash = strrchr(group, '/');
    if (slash == NULL) return least;
    *slash = 0;
  }
}

static double cgroup_quota(void) {
  double least = HUGE_VAL;
  FILE *f = fopen("/proc/self/cgroup", "re");
  if (f == NULL) return least;
  char line[4200];
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) continue;
    *group++ = 0;
    controllers++;
    if (strcmp(group, "/") == 0) *group = 0;
    double q = HUGE_VAL;
    if (*controllers == 0) {
      q = quota("/sys/fs/cgroup", group, 2);
    } else {
      char list[4300];
      snprintf(list, sizeof list, ",%s,", controllers);
      if (strstr(list, ",cpu,")) {
        char again[4200];
        snprintf(again, sizeof again, "%s", group);
        q = quota("/sys/fs/cgroup/cpu", group, 1);
        double other = quota("/sys/fs/cgroup/cpu,cpuacct", again, 1);
        if (other < q) q = other;
      }
    }
    if (q < least) least = q;
  }
  fclose(f);
  return least;
}

uint32_t wpl_usable_cpus(void) {
  uint32_t cpus = affinity();
  double q = ceil(cgroup_quota());
  if (q < cpus) cpus = (uint32_t)q;
  return cpus ? cpus : 1;
}
