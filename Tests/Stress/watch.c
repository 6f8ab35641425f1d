// SPDX-License-Identifier: MIT
/* A thread that sees to it that every case gets on, and what the process uses. */
#include "stress.h"

#include <dirent.h>
#include <malloc.h>
#include <stdatomic.h>
#include <unistd.h>

lane lanes[64];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static int is_over;

void watch_current(lane *lane, run *run) {
  pthread_mutex_lock(&lock);
  lane->current = run;
  pthread_mutex_unlock(&lock);
}

static int32_t write_line(void *context, const char *text, size_t size) {
  fwrite(text, 1, size, context);
  return 0;
}

static void tell_run(run *run) {
  const plan *plan = run->plan;
  plan_print(plan, stderr);
  fprintf(stderr, "  delivered %u of %u, accepted %" PRId64 ", live %" PRId64 "%s%s\n",
          run->delivered, run->expected->delivered, LOAD(run->accepted), LOAD(run->live),
          LOAD(run->was_disturbed) ? ", disturbed" : "", LOAD(run->has_ended) ? ", ended" : "");
  if (!run->pipeline) {
    if (run->nest) nest_print(run->nest, stderr);
    wp_pool_dump(run->pool, write_line, stderr);
    return;
  }
  wp_pipeline_statistics s = { .struct_size = sizeof s };
  if (wp_pipeline_statistics_get(run->pipeline, &s) == WP_OK) {
    fprintf(stderr, "  blocks in %" PRIu64 ", out %" PRIu64 ", in flight %" PRIu64 "\n",
            s.blocks_in, s.blocks_out, s.in_flight);
  }
  wp_pipeline_dump(run->pipeline, write_line, stderr);
  for (uint32_t i = 0; i <= plan->stages + 1; i++) {
    wp_stage_statistics t = { .struct_size = sizeof t };
    if (wp_pipeline_stage_statistics(run->pipeline, i, &t) == WP_OK) {
      fprintf(stderr, "  stage %u: in %" PRIu64 ", out %" PRIu64 ", inside %" PRId64 "\n", i,
              t.blocks_in, t.blocks_out, LOAD(run->posts[i].inside));
    }
  }
}

static void give_up(int index) {
  fprintf(stderr, "stress: no progress for %.0f s in seed %" PRIu64 "; under way:\n",
          (double)the.patience / 1e9, LOAD(lanes[index].seed));
  for (uint32_t i = 0; i < the.threads; i++) {
    fprintf(stderr, "  lane %u: seed %" PRIu64 "\n", i, LOAD(lanes[i].seed));
  }
  if (lanes[index].current) tell_run(lanes[index].current);
  for (uint32_t i = 0; i < the.threads; i++) {
    if ((int)i != index && lanes[i].current) tell_run(lanes[i].current);
  }
  fflush(NULL);
  if (getenv("STRESS_WAIT")) pause(); /* for a debugger */
  abort();
}

static void *watch(void *nothing) {
  int64_t seen[64] = { 0 }, since[64];
  for (int i = 0; i < 64; i++) since[i] = now_ns();
  pthread_mutex_lock(&lock);
  while (!is_over) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    pthread_cond_timedwait(&changed, &lock, &until);
    for (uint32_t i = 0; i < the.threads; i++) {
      run *run = lanes[i].current;
      int64_t sum = LOAD(lanes[i].case_done) * 1000003 + (run ? 1 + LOAD(run->progress) : 0);
      if (sum != seen[i] || !run) {
        seen[i] = sum;
        since[i] = now_ns();
      } else if (now_ns() - since[i] > the.patience) {
        give_up((int)i);
      }
    }
  }
  pthread_mutex_unlock(&lock);
  return nothing;
}

void watch_begin(void) {
  if (pthread_create(&thread, NULL, watch, NULL)) exit(2);
}

void watch_end(void) {
  pthread_mutex_lock(&lock);
  is_over = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
}

static uint64_t entries(const char *path) {
  DIR *directory = opendir(path);
  uint64_t count = 0;
  if (!directory) return 0;
  for (struct dirent *entry; (entry = readdir(directory));) count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}

figures figures_now(void) {
  figures figures = { .threads = entries("/proc/self/task"), .descriptors = entries("/proc/self/fd") };
  unsigned long size = 0, resident = 0;
  malloc_trim(0); /* what threads that are gone have freed is nobody's */
  FILE *file = fopen("/proc/self/statm", "r");
  if (file) {
    if (fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
    fclose(file);
  }
  figures.resident = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
  struct mallinfo2 heap = mallinfo2();
  figures.heap = heap.uordblks + heap.hblkhd;
  return figures;
}
