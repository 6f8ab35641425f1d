/* SPDX-License-Identifier: MIT
 * Filters a pair of FASTQ files with built-in steps. Usage: 5_fastq IN_1 IN_2 OUT_1 OUT_2 */
#include <inttypes.h>
#include <stdio.h>
#include <workpool.h>

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  wp_pool *pool;
  wp_recipe *recipe;
  /* Two segments, read1 and read2: the two files are kept in step. */
  if (wp_pool_create(NULL, &pool) || wp_recipe_create(NULL, 2, 0, &recipe)) return 1;
  const char *steps[] = {
      "CutStart n=5 segment=read1",   /* drop an adapter's rest, */
      "Truncate n=100 segment=read2", /* and the bad end of the mates; */
      "CalcExpectedError out_label=errors aggregate=sum segment=all", /* a number for each pair */
      "FilterByNumericTag in_label=errors max_value=1 keep_or_remove=keep", /* to judge it by */
  };
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    if (wp_recipe_add(recipe, steps[i])) return 1;
  if (wp_recipe_check(recipe)) { /* lists all that is wrong, a line each */
    fprintf(stderr, "%s\n", wp_last_error_text());
    return 2;
  }

  wp_run_options options = {.struct_size = sizeof options, .flags = WP_RUN_OVERWRITE};
  wp_run_report report = {.struct_size = sizeof report};
  const char *const *paths = (const char *const *)argv;
  int32_t status = wp_recipe_run(recipe, pool, paths + 1, 2, paths + 3, 2, &options, &report);
  if (status < 0) {
    fprintf(stderr, "%s\n", wp_last_error_text());
    return 1;
  }
  printf("read %" PRIu64 " pairs with %" PRIu64 " bases\n", report.reads_in, report.bases_in);
  printf("kept %" PRIu64 " pairs with %" PRIu64 " bases\n", report.reads_out, report.bases_out);

  wp_recipe_destroy(recipe);
  wp_pool_destroy(pool);
  return 0;
}
