/* SPDX-License-Identifier: MIT
 * Reads the lines of a .gz file, puts them into upper case on all workers at once, and writes them,
 * in order, to another .gz file. Usage: 2_ordered INPUT OUTPUT */
#include <ctype.h>
#include <stdio.h>
#include <workpool.h>

/* A parallel stage: several blocks at once, in any order. It changes the payload where it lies. */
static int32_t upper(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)scratch, (void)call;
  for (size_t i = 0; i < block->size; i++) block->data[i] = (uint8_t)toupper(block->data[i]);
  return WP_STAGE_OK;
}

/* A serial stage: block 0, then 1, then 2, never two at once; so the sum needs no lock. */
static int32_t count(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)scratch, (void)call;
  *(uint64_t *)context += block->meta[0]; /* the reader has put the number of its lines there */
  return WP_STAGE_OK;
}

static int failed(const char *what) {
  fprintf(stderr, "%s: %s\n", what, wp_last_error_text());
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  wp_pool *pool;
  wp_pipeline *pipeline;
  wp_reader *reader;
  wp_writer *writer;
  /* Blocks of about 4 KiB, which end with a line; the default is 1 MiB. */
  wp_reader_options lines = {.struct_size = sizeof lines, .bytes_per_block = 4096};
  wp_writer_options output = {.struct_size = sizeof output, .flags = WP_WRITER_OVERWRITE};
  if (wp_reader_open(argv[1], &lines, &reader)) return failed("input");
  if (wp_writer_open(argv[2], &output, &writer)) return failed("output");
  if (wp_pool_create(NULL, &pool)) return failed("pool");
  if (wp_pipeline_create(pool, NULL, &pipeline)) return failed("pipeline");

  /* reader --> upper --> count --> writer: nothing runs yet. */
  uint64_t total = 0;
  wp_stage_options parallel = {.struct_size = sizeof parallel, .kind = WP_PARALLEL, .fn = upper};
  wp_stage_options serial = {
      .struct_size = sizeof serial, .kind = WP_SERIAL, .fn = count, .context = &total};
  wp_pipeline_set_reader(pipeline, reader);
  wp_pipeline_add_stage(pipeline, &parallel);
  wp_pipeline_add_stage(pipeline, &serial);
  wp_pipeline_set_writer(pipeline, writer);

  if (wp_pipeline_run(pipeline) != WP_OK) return failed("run");
  /* The file gets its name only now, when it is complete. */
  wp_writer_info written = {.struct_size = sizeof written};
  if (wp_writer_finish(writer, &written)) return failed("output");
  printf("%d lines, %d bytes\n", (int)total, (int)written.bytes);

  wp_pipeline_destroy(pipeline); /* before what it uses */
  wp_writer_close(writer);
  wp_reader_close(reader);
  wp_pool_destroy(pool);
  return 0;
}
