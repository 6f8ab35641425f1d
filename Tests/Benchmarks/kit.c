// SPDX-License-Identifier: MIT
/* One run of one engine on one workload; prints a JSON line.
 *
 *   ENGINE --workload overhead|fine|skewed|real --shape SPS --blocks N --workers W --limit L
 *          [--cost-ns C] [--rate ITERATIONS_PER_NS] [--dist const|lognormal]
 *          [--input FILE] [--codec zlib|libdeflate|isal]
 *   ENGINE --name | --calibrate | --codecs
 *
 * overhead  empty stages                 skewed  P stages of uneven cost
 * fine      P stages of equal cost       real    text in, gzip members of 64 KiB out
 *
 * `ok` is false when an S stage or the sink saw a block out of order, or when blocks were lost. */
#include "bench.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zlib.h>
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif
#ifdef HAVE_ISAL
#include <isa-l.h>
#endif

enum { COSTS = 1 << 16, BLOCK_SIZE = 1 << 16, OUT_SIZE = BLOCK_SIZE + BLOCK_SIZE / 8 + 1024 };

typedef struct kit {
  uint64_t next, expected[BENCH_MOST_STAGES], out_of_order;
  block_t *ring;
  uint64_t mask;
  uint32_t *iterations; /* COSTS entries; NULL: empty stages */
  double rate;          /* iterations per ns */
  int counts_in_flight;
  _Alignas(64) atomic_int in_flight;
  _Alignas(64) atomic_int most_in_flight;
  void (*compress)(block_t *); /* workload "real" */
  uint8_t *text;
  size_t text_blocks;
  uint64_t out_bytes;
} kit;

static void die(const char *why) {
  fprintf(stderr, "%s: %s\n", engine_name, why);
  exit(2);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ----- work ----- */

static uint64_t spin(uint64_t n, uint64_t x) {
  while (n--) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    __asm__ volatile("" : "+r"(x));
  }
  return x;
}

static double calibrate(void) {
  double best = 0;
  for (uint64_t i = 0; i < 8; i++) {
    uint64_t t = now_ns();
    spin(20000000, i);
    double rate = 20000000.0 / (double)(now_ns() - t);
    if (rate > best) best = rate;
  }
  return best;
}

static double uniform(uint64_t *state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15u);
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return ((double)((z ^ z >> 31) >> 11) + 0.5) / 9007199254740992.0;
}

static void make_costs(bench_t *b, const char *distribution) {
  double *cost = malloc(COSTS * sizeof *cost), sum = 0;
  uint64_t state = 1;
  for (int i = 0; i < COSTS; i++) {
    double u = uniform(&state), v = uniform(&state);
    cost[i] = strcmp(distribution, "lognormal")
                ? 1
                : exp(1.5 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
    sum += cost[i];
  }
  b->kit->iterations = malloc(COSTS * sizeof *b->kit->iterations);
  double scale = COSTS / sum * b->cost_ns * b->kit->rate;
  for (int i = 0; i < COSTS; i++) b->kit->iterations[i] = (uint32_t)(cost[i] * scale + 0.5);
  free(cost);
}

static uint32_t iterations(const kit *kit, uint64_t number, int stage) {
  return kit->iterations[(number * 2654435761u + (uint64_t)stage) & (COSTS - 1)];
}

/* ----- codecs: one state per thread ----- */

static pthread_key_t state_key;

static void compress_zlib(block_t *block) {
  z_stream *z = pthread_getspecific(state_key);
  if (!z) {
    z = calloc(1, sizeof *z);
    if (deflateInit2(z, 1, 8, 31, 8, 0) != Z_OK) die("deflateInit2");
    pthread_setspecific(state_key, z);
  }
  deflateReset(z);
  z->next_in = block->in;
  z->avail_in = block->in_size;
  z->next_out = block->out;
  z->avail_out = OUT_SIZE;
  if (deflate(z, Z_FINISH) != Z_STREAM_END) die("deflate");
  block->out_size = OUT_SIZE - z->avail_out;
}

#ifdef HAVE_LIBDEFLATE
static void compress_libdeflate(block_t *block) {
  struct libdeflate_compressor *c = pthread_getspecific(state_key);
  if (!c) pthread_setspecific(state_key, c = libdeflate_alloc_compressor(1));
  block->out_size =
    (uint32_t)libdeflate_gzip_compress(c, block->in, block->in_size, block->out, OUT_SIZE);
  if (!block->out_size) die("libdeflate_gzip_compress");
}
#endif

#ifdef HAVE_ISAL
static void compress_isal(block_t *block) {
  uint8_t *level = pthread_getspecific(state_key);
  if (!level) pthread_setspecific(state_key, level = malloc(ISAL_DEF_LVL1_DEFAULT));
  struct isal_zstream z;
  isal_deflate_init(&z);
  z.level = 1;
  z.level_buf = level;
  z.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
  z.gzip_flag = IGZIP_GZIP;
  z.end_of_stream = 1;
  z.next_in = block->in;
  z.avail_in = block->in_size;
  z.next_out = block->out;
  z.avail_out = OUT_SIZE;
  if (isal_deflate(&z) != COMP_OK || z.avail_in) die("isal_deflate");
  block->out_size = z.total_out;
}
#endif

static const struct {
  const char *name;
  void (*compress)(block_t *);
} codecs[] = {
  { "zlib", compress_zlib },
#ifdef HAVE_LIBDEFLATE
  { "libdeflate", compress_libdeflate },
#endif
#ifdef HAVE_ISAL
  { "isal", compress_isal },
#endif
};
enum { CODECS = sizeof codecs / sizeof codecs[0] };

/* ----- the calls of bench.h ----- */

block_t *bench_source(bench_t *b) {
  kit *kit = b->kit;
  if (kit->next == b->blocks) return NULL;
  uint64_t slot = kit->next;
  block_t *block = &kit->ring[slot & kit->mask];
  while (b->is_unordered && block->is_busy) block = &kit->ring[++slot & kit->mask];
  if (block->is_busy) die("more than 4 x limit + 64 blocks in flight");
  block->is_busy = 1;
  block->number = kit->next++;
  if (kit->counts_in_flight) {
    int n = atomic_fetch_add_explicit(&kit->in_flight, 1, memory_order_relaxed) + 1;
    if (n > atomic_load_explicit(&kit->most_in_flight, memory_order_relaxed)) {
      atomic_store_explicit(&kit->most_in_flight, n, memory_order_relaxed);
    }
  }
  if (kit->text) { /* in place of read(2) */
    memcpy(block->in, kit->text + block->number % kit->text_blocks * BLOCK_SIZE, BLOCK_SIZE);
    block->in_size = BLOCK_SIZE;
  }
  return block;
}

void bench_stage(bench_t *b, int stage, block_t *block) {
  kit *kit = b->kit;
  if (b->shape[stage] == 'S') {
    if (block->number != kit->expected[stage]++ && !b->is_unordered) kit->out_of_order++;
  } else if (kit->compress) {
    kit->compress(block);
  } else if (kit->iterations) {
    spin(iterations(kit, block->number, stage), block->number);
  }
}

void bench_sink(bench_t *b, block_t *block) {
  kit *kit = b->kit;
  if (block->number != kit->expected[b->stages - 1]++ && !b->is_unordered) kit->out_of_order++;
  kit->out_bytes += block->out_size;
  if (kit->counts_in_flight) atomic_fetch_sub_explicit(&kit->in_flight, 1, memory_order_relaxed);
  block->is_busy = 0;
}

double bench_cost(const bench_t *b, uint64_t number) {
  double ns = 0;
  for (int stage = 1; stage < b->stages - 1 && b->kit->iterations; stage++) {
    if (b->shape[stage] == 'P') ns += iterations(b->kit, number, stage) / b->kit->rate;
  }
  return ns;
}

/* ----- one run ----- */

static void prepare(bench_t *b, const char *input) {
  kit *kit = b->kit;
  uint64_t slots = 1;
  while (slots < (uint64_t)b->limit * 4 + 64) slots <<= 1;
  kit->ring = aligned_alloc(64, slots * sizeof *kit->ring);
  kit->mask = slots - 1;
  memset(kit->ring, 0, slots * sizeof *kit->ring);
  if (!kit->compress) return;
  FILE *file = input ? fopen(input, "rb") : NULL;
  if (!file) die("workload real needs --input FILE");
  size_t most = 64u << 20;
  kit->text = malloc(most);
  kit->text_blocks = fread(kit->text, 1, most, file) / BLOCK_SIZE;
  fclose(file);
  if (!kit->text_blocks) die("the input is smaller than a block");
  for (uint64_t i = 0; i < slots; i++) {
    kit->ring[i].in = memset(malloc(BLOCK_SIZE), 1, BLOCK_SIZE);
    kit->ring[i].out = memset(malloc(OUT_SIZE), 1, OUT_SIZE);
  }
}

static void reset(bench_t *b, uint64_t blocks) {
  kit *kit = b->kit;
  b->blocks = blocks;
  b->simulated_ns = 0;
  kit->next = kit->out_of_order = kit->out_bytes = 0;
  memset(kit->expected, 0, sizeof kit->expected);
  atomic_store(&kit->in_flight, 0);
  atomic_store(&kit->most_in_flight, 0);
}

static double cpu_s(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec)
         + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

int main(int count, char **words) {
  kit *kit = memset(aligned_alloc(64, (sizeof *kit + 63) / 64 * 64), 0, sizeof *kit);
  bench_t b = { .shape = "SPS", .blocks = 100000, .workers = 2, .limit = 64, .kit = kit };
  const char *workload = "overhead", *distribution = "const", *input = NULL;
  int codec = 0;
  for (int i = 1; i < count; i++) {
    const char *word = words[i], *value = i + 1 < count ? words[i + 1] : NULL;
    if (!strcmp(word, "--name")) return puts(engine_name) < 0;
    if (!strcmp(word, "--calibrate")) return printf("%.6f\n", calibrate()) < 0;
    if (!strcmp(word, "--codecs")) {
      for (int k = 0; k < CODECS; k++) puts(codecs[k].name);
      return 0;
    }
    if (!value) die("an option without its value");
    i++;
    if (!strcmp(word, "--workload")) workload = value;
    else if (!strcmp(word, "--shape")) snprintf(b.shape, sizeof b.shape, "%s", value);
    else if (!strcmp(word, "--blocks")) b.blocks = strtoull(value, NULL, 10);
    else if (!strcmp(word, "--workers")) b.workers = atoi(value);
    else if (!strcmp(word, "--limit")) b.limit = atoi(value);
    else if (!strcmp(word, "--cost-ns")) b.cost_ns = atof(value);
    else if (!strcmp(word, "--rate")) kit->rate = atof(value);
    else if (!strcmp(word, "--dist")) distribution = value;
    else if (!strcmp(word, "--input")) input = value;
    else if (!strcmp(word, "--codec")) {
      for (codec = 0; codec < CODECS && strcmp(value, codecs[codec].name);) codec++;
      if (codec == CODECS) die("this codec is not built in");
    } else die("unknown option");
  }
  b.stages = (int)strlen(b.shape);
  if (b.stages < 3 || b.shape[0] != 'S' || b.shape[b.stages - 1] != 'S') die("--shape is S...S");
  if (!strcmp(workload, "real")) kit->compress = codecs[codec].compress;
  kit->counts_in_flight = !strcmp(workload, "skewed");
  if (kit->rate <= 0) kit->rate = calibrate();
  if (b.cost_ns > 0) make_costs(&b, distribution);
  pthread_key_create(&state_key, NULL);
  prepare(&b, input);

  uint64_t blocks = b.blocks;
  void *engine = engine_open(&b);
  reset(&b, blocks / 20 + 1); /* warms up threads, caches, codecs */
  int status = engine_run(engine, &b);
  reset(&b, blocks);
  double cpu = cpu_s();
  uint64_t start = now_ns();
  status |= engine_run(engine, &b);
  uint64_t elapsed = now_ns() - start;
  cpu = cpu_s() - cpu;
  engine_close(engine);
  if (b.simulated_ns) elapsed = b.simulated_ns;
  int ok = !status && !kit->out_of_order
           && (b.simulated_ns || kit->expected[b.stages - 1] == blocks);
  printf("{\"engine\":\"%s\",\"blocks\":%" PRIu64 ",\"elapsed_ns\":%" PRIu64
         ",\"cpu_s\":%.4f,\"most_in_flight\":%d,\"out_bytes\":%" PRIu64 ",\"ok\":%s}\n",
         engine_name, blocks, elapsed, cpu, atomic_load(&kit->most_in_flight), kit->out_bytes,
         ok ? "true" : "false");
  return !ok;
}
