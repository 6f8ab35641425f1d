/* SPDX-License-Identifier: MIT
 * What goes wrong, and where: a line that is not as it should be, then a file that ends too early.
 * Usage: 4_errors INPUT DAMAGED_INPUT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <workpool.h>

#define BAD_LINE (WP_USER_CODE - 1) /* codes of your own: WP_USER_CODE and below */

/* Every line must begin with a digit. */
static int32_t check(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)scratch, (void)call;
  uint64_t line = block->meta[1]; /* lines before this block: the reader has put the number there */
  const uint8_t *end = block->data + block->size;
  for (const uint8_t *at = block->data; at < end; line++) {
    const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
    if (*at < '0' || *at > '9') {
      char text[100];
      snprintf(text, sizeof text, "line %" PRIu64 ": '%.*s' does not begin with a number", line + 1,
               (int)((stop ? stop : end) - at), (const char *)at);
      return wp_block_fail(block, BAD_LINE, text); /* returns BAD_LINE */
    }
    at = stop ? stop + 1 : end;
  }
  return WP_STAGE_OK;
}

static int check_file(wp_pool *pool, const char *path) {
  wp_reader *reader;
  wp_pipeline *pipeline;
  wp_reader_options lines = {.struct_size = sizeof lines, .bytes_per_block = 4096};
  if (wp_reader_open(path, &lines, &reader)) return 1;
  if (wp_pipeline_create(pool, NULL, &pipeline)) return 1;
  wp_stage_options stage = {.struct_size = sizeof stage, .name = "check", .fn = check};
  wp_pipeline_set_reader(pipeline, reader);
  wp_pipeline_add_stage(pipeline, &stage);

  int32_t status = wp_pipeline_run(pipeline);
  printf("%s\n", status == WP_STAGE_FAILED ? "failed" : "checked");
  /* The failure of the lowest block counts, however many workers there are, and all blocks before
   * it have been delivered. */
  wp_error_entry error = {.struct_size = sizeof error};
  for (size_t i = 0; wp_pipeline_error(pipeline, i, &error) == WP_OK; i++) {
    wp_stage_statistics at = {.struct_size = sizeof at};
    wp_pipeline_stage_statistics(pipeline, error.stage, &at);
    printf("block %d, stage %d (%s): %s\n", (int)error.number, (int)error.stage, at.name,
           error.text);
  }
  wp_pipeline_destroy(pipeline);
  wp_reader_close(reader);
  return 0;
}

int main(int argc, char **argv) {
  wp_pool *pool;
  if (argc != 3 || wp_pool_create(NULL, &pool)) return 2;
  int bad = check_file(pool, argv[1]) || check_file(pool, argv[2]);
  wp_reader *reader;
  int32_t status = wp_reader_open("no such file", NULL, &reader);
  printf("%s: %s\n", wp_status_name(status), wp_last_error_text());
  wp_pool_destroy(pool);
  return bad;
}
