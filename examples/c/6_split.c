/* SPDX-License-Identifier: MIT
 * Text comes in pieces that end anywhere; a splitter makes a block of every line, also of those that
 * lie in several pieces. */
#include <stdio.h>
#include <string.h>
#include <workpool.h>

enum { PIECE = 16 };
static const char text[] =
    "one block in,\nany number out\n\nin order,\nand numbered anew\n"
    "a long line lies in more than two of the pieces that come in\nthe last line has no end";

static int32_t read_piece(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)scratch, (void)call;
  size_t begin = block->number * PIECE, length = strlen(text);
  if (begin >= length) return WP_SOURCE_END;
  block->size = length - begin < PIECE ? length - begin : PIECE;
  return wp_block_set_data(block, (void *)(text + begin), block->size, NULL, NULL);
}

/* What the splitter knows from one call to the next: calls come one after the other. */
struct lines {
  size_t position;  /* in the piece */
  size_t size;      /* of the beginning of a line that the pieces before had */
  char begun[256];
};

static int32_t cut_lines(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)scratch;
  struct lines *lines = context;
  const wp_block *piece = call->input;
  const uint8_t *from = NULL, *end = NULL;
  size_t size = 0;
  if (piece) {
    from = piece->data + lines->position;
    size = piece->size - lines->position;
    end = size ? memchr(from, '\n', size) : NULL;
    if (end) size = (size_t)(end - from);
    if (lines->size + size > sizeof lines->begun) {
      return wp_block_fail(block, WP_LIMIT_EXCEEDED, "a line is too long");
    }
    if (!end) { /* the rest of the line comes with the next piece: keep this, emit nothing */
      if (size) memcpy(lines->begun + lines->size, from, size);
      lines->size += size;
      lines->position = 0;
      return WP_STAGE_DROP;
    }
  } else if (!lines->size) { /* no more pieces, and nothing kept */
    return WP_STAGE_DROP;
  }
  if (wp_block_reserve(block, lines->size + size)) return WP_NO_MEMORY;
  memcpy(block->data, lines->begun, lines->size);
  if (size) memcpy(block->data + lines->size, from, size);
  block->size = lines->size + size;
  lines->size = 0;
  lines->position += size + 1;
  if (piece) return WP_STAGE_MORE; /* there may be another line in it */
  return WP_STAGE_OK;
}

static int32_t upper(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)scratch, (void)call;
  for (size_t i = 0; i < block->size; i++) {
    if (block->data[i] >= 'a' && block->data[i] <= 'z') block->data[i] -= 'a' - 'A';
  }
  return WP_STAGE_OK;
}

static int32_t print(void *context, wp_block *block, void *scratch, const wp_call *call) {
  (void)context, (void)scratch, (void)call;
  printf("line %d ends in piece %d: %.*s\n", (int)block->number, (int)block->source_number,
         (int)block->size, block->size ? (const char *)block->data : "");
  return WP_STAGE_OK;
}

int main(void) {
  wp_pool *pool;
  wp_pipeline *pipeline;
  struct lines lines = {0};
  if (wp_pool_create(NULL, &pool)) return 1;
  if (wp_pipeline_create(pool, NULL, &pipeline)) return 1;
  wp_stage_options source = {.struct_size = sizeof source, .fn = read_piece};
  wp_stage_options splitter = {
      .struct_size = sizeof splitter, .kind = WP_SPLITTER, .fn = cut_lines, .context = &lines};
  wp_stage_options work = {.struct_size = sizeof work, .fn = upper};
  wp_stage_options sink = {.struct_size = sizeof sink, .fn = print};
  wp_pipeline_set_source(pipeline, &source);
  wp_pipeline_add_stage(pipeline, &splitter);
  wp_pipeline_add_stage(pipeline, &work);
  wp_pipeline_set_sink(pipeline, &sink);

  int32_t status = wp_pipeline_run(pipeline);
  wp_stage_statistics statistics = {.struct_size = sizeof statistics};
  wp_pipeline_stage_statistics(pipeline, 1, &statistics);
  printf("%d pieces, %d lines\n", (int)statistics.blocks_in, (int)statistics.blocks_out);

  wp_pipeline_destroy(pipeline);
  wp_pool_destroy(pool);
  return status != WP_OK;
}
