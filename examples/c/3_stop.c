/* SPDX-License-Identifier: MIT
 * Counts primes until there are 5000: an endless source, and a stage that knows when to stop. */
#include <stdio.h>
#include <workpool.h>

enum { NUMBERS = 1000, WANTED = 5000 };

/* The source would go on for ever: block n stands for the numbers from n * 1000 on. */
static int32_t next(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)scratch, (void)call;
  block->meta[0] = block->number * NUMBERS;
  return WP_STAGE_OK;
}

static int32_t count_primes(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)scratch, (void)call;
  for (uint64_t n = block->meta[0]; n < block->meta[0] + NUMBERS; n++) {
    int is_prime = n > 1;
    for (uint64_t d = 2; d * d <= n && is_prime; d++) is_prime = n % d != 0;
    block->meta[1] += (uint64_t)is_prime;
  }
  return WP_STAGE_OK;
}

static int32_t add(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)scratch, (void)call;
  uint64_t *total = context;
  *total += block->meta[1];
  /* This block is the last one that goes on, whatever other workers have begun meanwhile. */
  return *total >= WANTED ? WP_STAGE_STOP : WP_STAGE_OK;
}

int main(void) {
  wp_pool *pool;
  wp_pipeline *pipeline;
  uint64_t total = 0;
  if (wp_pool_create(NULL, &pool)) return 1;
  if (wp_pipeline_create(pool, NULL, &pipeline)) return 1;
  wp_stage_options source = {.struct_size = sizeof source, .fn = next};
  wp_stage_options primes = {.struct_size = sizeof primes, .fn = count_primes};
  wp_stage_options sum = {
      .struct_size = sizeof sum, .kind = WP_SERIAL, .fn = add, .context = &total};
  wp_pipeline_set_source(pipeline, &source);
  wp_pipeline_add_stage(pipeline, &primes);
  wp_pipeline_add_stage(pipeline, &sum);

  int32_t status = wp_pipeline_run(pipeline); /* WP_STOPPED is a success */
  wp_result result = {.struct_size = sizeof result};
  wp_pipeline_result(pipeline, &result);
  printf("%s at block %d\n", status == WP_STOPPED ? "stopped" : "ended", (int)result.number);
  printf("%d primes below %d\n", (int)total, (int)(result.number + 1) * NUMBERS);
  printf("%d blocks delivered\n", (int)result.blocks_delivered);

  wp_pipeline_destroy(pipeline);
  wp_pool_destroy(pool);
  return status != WP_STOPPED;
}
