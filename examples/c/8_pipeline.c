/* SPDX-License-Identifier: MIT
 * A whole pipeline of reads without a configuration: steps by name with typed values, barcodes, a file for
 * each of them, a table and a report. Usage: 8_pipeline IN PREFIX */
#include <inttypes.h>
#include <stdio.h>
#include <workpool.h>

static wp_param integer(const char *key, int64_t value) {
  return (wp_param){.key = key, .type = WP_PARAM_INT, .integer = value};
}
static wp_param boolean(const char *key, int value) {
  return (wp_param){.key = key, .type = WP_PARAM_BOOL, .integer = value};
}
static wp_param text(const char *key, const char *value) {
  return (wp_param){.key = key, .type = WP_PARAM_TEXT, .text = value};
}

/* Adds a step with `count` keys. */
static int add(wp_recipe *recipe, const char *action, const wp_param *params, size_t count) {
  return wp_recipe_add_step(recipe, action, params, count);
}
#define ADD(recipe, action, ...)                           \
  add(recipe, action, (const wp_param[]){__VA_ARGS__},     \
      sizeof((const wp_param[]){__VA_ARGS__}) / sizeof(wp_param))

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  wp_pool *pool;
  wp_recipe *recipe;
  if (wp_pool_create(NULL, &pool) || wp_recipe_create(NULL, 1, 0, &recipe)) return 1;
  const char *labels[] = {"errors", "code"};
  int failed =
      ADD(recipe, "ExtractRegion", text("source", "read1"), integer("start", 0), integer("len", 2),
          text("anchor", "start"), text("out_label", "code")) ||
      ADD(recipe, "CalcExpectedError", text("aggregate", "sum"), text("out_label", "errors")) ||
      ADD(recipe, "FilterByNumericTag", text("in_label", "errors"),
          (wp_param){.key = "max_value", .type = WP_PARAM_DOUBLE, .number = 0.5},
          text("keep_or_remove", "keep")) ||
      ADD(recipe, "Demultiplex", text("in_label", "code"), text("barcodes", "samples"),
          boolean("output_unmatched", 1)) ||
      ADD(recipe, "StoreTagsInTable", text("infix", "tags"),
          (wp_param){.key = "in_labels", .type = WP_PARAM_TEXTS, .texts = labels, .count = 2}) ||
      ADD(recipe, "Report", text("name", "kept"), boolean("base_statistics", 1)) ||
      wp_recipe_add_barcode(recipe, "samples", "AA", "liver") ||
      wp_recipe_add_barcode(recipe, "samples", "TY", "heart") || /* TC and TT */
      wp_recipe_set_prefix(recipe, argv[2]) || wp_recipe_check(recipe);
  if (failed) { /* of the check: all that is wrong, a line each */
    fprintf(stderr, "%s\n", wp_last_error_text());
    return 2;
  }

  wp_run_options options = WP_RUN_OPTIONS_INIT;
  options.flags = WP_RUN_OVERWRITE;
  wp_run_report report = {.struct_size = sizeof report};
  const char *inputs[] = {argv[1]};
  /* No outputs: they are called after the prefix. */
  if (wp_recipe_run(recipe, pool, inputs, 1, NULL, 0, &options, &report) < 0) {
    fprintf(stderr, "%s\n", wp_last_error_text());
    return 1;
  }
  printf("read %" PRIu64 ", kept %" PRIu64 "\n", report.reads_in, report.reads_out);
  wp_recipe_destroy(recipe);
  wp_pool_destroy(pool);
  return 0;
}
