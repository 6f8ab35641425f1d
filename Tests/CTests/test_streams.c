// SPDX-License-Identifier: MIT
/* Readers, writers and recipes. test_streams FOLDER FASTQ_GZ: files are made in the folder. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages.h"

static const char *sample;

/* ----- files ----- */

typedef struct bytes {
  size_t size;
  uint8_t data[1 << 23];
} bytes;

static void put(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(data, 1, size, file) == size && !fclose(file));
}

static void get(const char *path, bytes *bytes) {
  FILE *file = fopen(path, "rb");
  bytes->size = file ? fread(bytes->data, 1, sizeof bytes->data, file) : 0;
  if (file) fclose(file);
}

static int exists(const char *path) {
  struct stat status;
  return stat(path, &status) == 0;
}

static wp_reader *open_reader(const char *path, uint32_t split, uint64_t records) {
  wp_reader_options options = WP_READER_OPTIONS_INIT;
  wp_reader *reader = NULL;
  options.split = split;
  options.records_per_block = records;
  CHECK_EQUAL(wp_reader_open(path, &options, &reader), WP_OK);
  return reader;
}

/* Decodes a file in pieces of `piece` bytes; returns the status that ended it. */
static int32_t decode(const char *path, size_t piece, bytes *bytes) {
  wp_reader *reader = NULL;
  int32_t status = wp_reader_open(path, NULL, &reader);
  bytes->size = 0;
  while (status == WP_OK) {
    size_t got = 0;
    status = wp_reader_read(reader, bytes->data + bytes->size, piece, &got);
    bytes->size += got;
    if (status == WP_OK) CHECK(got > 0);
  }
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  return status;
}

/* Writes with calls of `piece` bytes. */
static void encode(const char *path, uint32_t compression, const bytes *bytes, size_t piece) {
  wp_writer_options options = WP_WRITER_OPTIONS_INIT;
  wp_writer_info info = { .struct_size = sizeof info };
  wp_writer *writer = NULL;
  options.compression = compression;
  options.flags = WP_WRITER_OVERWRITE;
  CHECK_EQUAL(wp_writer_open(path, &options, &writer), WP_OK);
  for (size_t at = 0; at < bytes->size; at += piece) {
    size_t size = bytes->size - at < piece ? bytes->size - at : piece;
    CHECK_EQUAL(wp_writer_write(writer, bytes->data + at, size), WP_OK);
  }
  CHECK_EQUAL(wp_writer_finish(writer, &info), WP_OK);
  CHECK_EQUAL(info.bytes, bytes->size);
  CHECK_EQUAL(wp_writer_finish(writer, NULL), WP_INVALID_STATE);
  CHECK_EQUAL(wp_writer_close(writer), WP_OK);
}

static bytes text, decoded, packed, again;

static const char *const paths[] = { "a.txt", "a.gz", "a.zst" };
static const uint32_t compressions[] = {
  WP_COMPRESSION_PLAIN, WP_COMPRESSION_GZIP, WP_COMPRESSION_ZSTD
};

static void round_trips(void) {
  for (int i = 0; i < 3; i++) {
    encode(paths[i], compressions[i], &text, 100000);
    get(paths[i], &packed);
    encode(paths[i], WP_COMPRESSION_AUTO, &text, 777); /* by suffix, cut otherwise: the same file */
    get(paths[i], &again);
    CHECK_EQUAL(again.size, packed.size);
    CHECK(!memcmp(again.data, packed.data, packed.size));
    for (size_t piece = 1000; piece <= 1000000; piece *= 10) {
      CHECK_EQUAL(decode(paths[i], piece, &decoded), WP_END);
      CHECK_EQUAL(decoded.size, text.size);
      CHECK(!memcmp(decoded.data, text.data, text.size));
    }
  }
}

/* Decodes with a pool, as `decode`. */
static int32_t decode_pooled(const char *path, wp_pool *pool, size_t piece, bytes *bytes) {
  wp_reader_options options = WP_READER_OPTIONS_INIT;
  wp_reader *reader = NULL;
  int32_t status;
  options.pool = pool;
  status = wp_reader_open(path, &options, &reader);
  bytes->size = 0;
  while (status == WP_OK) {
    size_t got = 0;
    status = wp_reader_read(reader, bytes->data + bytes->size, piece, &got);
    bytes->size += got;
  }
  CHECK_EQUAL(wp_pool_destroy(pool), reader ? WP_BUSY : WP_OK); /* the reader keeps it */
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  return status;
}

static void pooled(void) {
  static const uint32_t workers[] = { 1, 2, 8 };
  for (int i = 0; i < 3; i++) {
    wp_pool_options options = WP_POOL_OPTIONS_INIT;
    wp_pool *pool = NULL;
    options.workers = workers[i];
    CHECK_EQUAL(wp_pool_create(&options, &pool), WP_OK);
    for (int j = 0; j < 3; j++) {
      encode(paths[j], compressions[j], &text, 1 << 20);
      CHECK_EQUAL(decode_pooled(paths[j], pool, 300000, &decoded), WP_END);
      CHECK_EQUAL(decoded.size, text.size);
      CHECK(!memcmp(decoded.data, text.data, text.size));
      if (j == 0) continue;
      get(paths[j], &packed);
      packed.data[packed.size / 2] ^= 0x10;
      put("damaged", packed.data, packed.size);
      CHECK_EQUAL(decode("damaged", 300000, &decoded), WP_CORRUPT_INPUT);
      CHECK_EQUAL(decode_pooled("damaged", pool, 300000, &again), WP_CORRUPT_INPUT);
      CHECK_EQUAL(again.size, decoded.size);
      CHECK(!memcmp(again.data, decoded.data, decoded.size));
    }
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
  }
}

static void nothing(void) {
  bytes *empty = calloc(1, sizeof *empty);
  for (int i = 0; i < 3; i++) {
    encode(paths[i], compressions[i], empty, 1);
    CHECK_EQUAL(decode(paths[i], 10, &decoded), WP_END);
    CHECK_EQUAL(decoded.size, 0);
  }
  free(empty);
}

static void damage(void) {
  for (int i = 1; i < 3; i++) {
    encode(paths[i], compressions[i], &text, text.size);
    get(paths[i], &packed);
    for (size_t cut = 1; cut < packed.size; cut += packed.size / 23) {
      if (i == 1 && cut > packed.size - 28) break; /* the BGZF end marker alone may be missing */
      put("damaged", packed.data, cut);
      int32_t status = decode("damaged", 50000, &decoded);
      if (cut > 4) CHECK_EQUAL(status, WP_TRUNCATED_INPUT);
      CHECK(status < 0 || cut <= 4);
      CHECK(decoded.size < text.size);
    }
    for (size_t at = 40; at + 40 < packed.size; at += packed.size / 29) {
      packed.data[at] ^= 64;
      put("damaged", packed.data, packed.size);
      packed.data[at] ^= 64;
      CHECK(decode("damaged", 50000, &decoded) < 0);
      CHECK(wp_last_error_text()[0] != 0);
      CHECK(strstr(wp_last_error_text(), "damaged") != NULL);
    }
  }
}

static void trailing_bytes(void) {
  static const int32_t expected[] = { WP_CORRUPT_INPUT, WP_END, WP_END };
  encode("a.gz", WP_COMPRESSION_GZIP, &text, text.size);
  get("a.gz", &packed);
  memcpy(packed.data + packed.size, "behind", 6);
  put("trailing.gz", packed.data, packed.size + 6);
  for (uint32_t trailing = 0; trailing < 3; trailing++) {
    wp_reader_options options = WP_READER_OPTIONS_INIT;
    wp_reader *reader = NULL;
    size_t size = 0;
    int32_t status = WP_OK;
    options.trailing = trailing;
    CHECK_EQUAL(wp_reader_open("trailing.gz", &options, &reader), WP_OK);
    while (status == WP_OK) {
      status = wp_reader_read(reader, decoded.data, sizeof decoded.data, &size);
      if (size) CHECK_EQUAL(size, text.size);
    }
    CHECK_EQUAL(status, expected[trailing]);
    CHECK_EQUAL(wp_reader_note(reader, 0) != NULL, trailing == WP_TRAILING_WARN);
    CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  }
}

/* ----- blocks of whole records ----- */

static void splits(void) {
  static const struct {
    uint32_t split;
    uint64_t lines_per_record;
  } cases[] = { { WP_SPLIT_LINES, 1 }, { WP_SPLIT_FASTQ, 4 } };
  for (int i = 0; i < 2; i++) {
    for (uint64_t records = 1; records <= 1000; records *= 10) {
      wp_reader *reader = open_reader(sample, cases[i].split, records);
      wp_chunk chunk = { 0 };
      uint64_t before = 0, offset = 0;
      int32_t status;
      size_t at = 0;
      while ((status = wp_reader_next(reader, &chunk)) == WP_OK) {
        CHECK_EQUAL(chunk.first_record, before);
        CHECK_EQUAL(chunk.offset, offset);
        CHECK_EQUAL(chunk.first_line, before * cases[i].lines_per_record);
        CHECK(chunk.packed_bytes > 0);
        CHECK(chunk.records == records || at + chunk.size == text.size);
        CHECK_EQUAL(chunk.data[chunk.size - 1], '\n');
        CHECK(!memcmp(chunk.data, text.data + at, chunk.size));
        at += chunk.size;
        before += chunk.records;
        offset += chunk.size;
        if (before > 3000) break;
      }
      if (before <= 3000) CHECK_EQUAL(status, WP_END);
      CHECK_EQUAL(wp_reader_close(reader), WP_OK);
    }
  }
}

static void fixed_records(void) {
  wp_reader_options options = WP_READER_OPTIONS_INIT;
  wp_reader *reader = NULL;
  wp_chunk chunk = { 0 };
  put("fixed", "aaabbbcccd", 10);
  options.split = WP_SPLIT_FIXED;
  CHECK_EQUAL(wp_reader_open("fixed", &options, &reader), WP_INVALID_ARGUMENT);
  options.record_size = 3;
  options.records_per_block = 2;
  CHECK_EQUAL(wp_reader_open("fixed", &options, &reader), WP_OK);
  CHECK_EQUAL(wp_reader_next(reader, &chunk), WP_OK);
  CHECK(chunk.size == 6 && !memcmp(chunk.data, "aaabbb", 6));
  int32_t status = wp_reader_next(reader, &chunk);
  if (status == WP_OK) status = wp_reader_next(reader, &chunk);
  CHECK_EQUAL(status, WP_MALFORMED_RECORD);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
}

static void descriptors(void) {
  int ends[2];
  bytes *small = calloc(1, sizeof *small);
  small->size = 30000; /* fits into a pipe */
  memcpy(small->data, text.data, small->size);
  CHECK_EQUAL(pipe(ends), 0);
  wp_writer *writer = NULL;
  wp_reader *reader = NULL;
  wp_writer_options options = WP_WRITER_OPTIONS_INIT;
  options.compression = WP_COMPRESSION_ZSTD;
  CHECK_EQUAL(wp_writer_open_fd(ends[1], NULL, &options, &writer), WP_OK);
  CHECK_EQUAL(wp_writer_write(writer, small->data, small->size), WP_OK);
  CHECK_EQUAL(wp_writer_finish(writer, NULL), WP_OK);
  CHECK_EQUAL(wp_writer_close(writer), WP_OK);
  CHECK_EQUAL(close(ends[1]), 0); /* still the caller's */
  CHECK_EQUAL(wp_reader_open_fd(ends[0], "a pipe", NULL, &reader), WP_OK);
  CHECK_EQUAL(close(ends[0]), 0);
  size_t size = 0;
  CHECK_EQUAL(wp_reader_read(reader, decoded.data, sizeof decoded.data, &size), WP_OK);
  CHECK_EQUAL(size, small->size);
  CHECK(!memcmp(decoded.data, small->data, size));
  wp_reader_info info = { .struct_size = sizeof info };
  CHECK_EQUAL(wp_reader_get_info(reader, &info), WP_OK);
  CHECK_EQUAL(info.compression, WP_COMPRESSION_ZSTD);
  CHECK_EQUAL(info.bytes, size);
  CHECK(info.packed_size == UINT64_MAX);
  CHECK_EQUAL(wp_reader_read(reader, decoded.data, 1, &size), WP_END);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  free(small);
}

/* ----- outputs ----- */

static void outputs(void) {
  wp_writer *writer = NULL;
  put("old.txt", "old", 3);
  CHECK_EQUAL(wp_writer_open("old.txt", NULL, &writer), WP_OUTPUT_EXISTS);
  CHECK_EQUAL(wp_writer_open("no such folder/x", NULL, &writer), WP_IO_FAILED);
  CHECK_EQUAL(wp_writer_open(NULL, NULL, &writer), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_writer_open("new.txt", NULL, &writer), WP_OK);
  CHECK_EQUAL(wp_writer_write(writer, "new", 3), WP_OK);
  CHECK(!exists("new.txt"));
  CHECK_EQUAL(wp_writer_close(writer), WP_OK);
  CHECK(!exists("new.txt"));
  wp_writer_options options = WP_WRITER_OPTIONS_INIT;
  options.flags = WP_WRITER_OVERWRITE | WP_WRITER_SYNC;
  CHECK_EQUAL(wp_writer_open("old.txt", &options, &writer), WP_OK);
  CHECK_EQUAL(wp_writer_write(writer, "new", 3), WP_OK);
  get("old.txt", &again);
  CHECK(again.size == 3 && !memcmp(again.data, "old", 3));
  CHECK_EQUAL(wp_writer_finish(writer, NULL), WP_OK);
  CHECK_EQUAL(wp_writer_close(writer), WP_OK);
  get("old.txt", &again);
  CHECK(again.size == 3 && !memcmp(again.data, "new", 3));
  CHECK_EQUAL(wp_writer_close(NULL), WP_OK);
  CHECK_EQUAL(wp_reader_close(NULL), WP_OK);
  wp_reader *reader = NULL;
  CHECK_EQUAL(wp_reader_open("no such file", NULL, &reader), WP_IO_FAILED);
  CHECK_EQUAL(wp_reader_open(NULL, NULL, &reader), WP_INVALID_ARGUMENT);
  put("zip", "PK\3\4 and more", 13);
  CHECK_EQUAL(decode("zip", 100, &decoded), WP_UNSUPPORTED);
}

static int32_t invert(WITHIN(context)) {
  (void)context;
  UNUSED;
  for (size_t i = 0; i < block->size; i++) block->data[i] ^= 1;
  return WP_STAGE_OK;
}

/* Where blocks of a reader say they begin, and how far the file was read. */
typedef struct place {
  uint64_t records, offset, packed;
} place;

static int32_t follow(void *context, wp_block *block, void *scratch, const wp_call *call) {
  place *place = context;
  UNUSED;
  CHECK_EQUAL(block->meta[1], place->records);
  CHECK_EQUAL(block->meta[2], place->offset);
  CHECK(block->meta[3] > 0 && block->meta[3] >= place->packed);
  *place = (struct place){ place->records + block->meta[0], place->offset + block->size,
                           block->meta[3] };
  return WP_STAGE_OK;
}

static int32_t stop(WITHIN(context)) {
  (void)context;
  UNUSED;
  return WP_STAGE_STOP;
}

/* The pool may go before the reader, however far that was read. */
static void pool_goes_first(void) {
  encode(paths[1], compressions[1], &text, 1 << 20);
  for (uint32_t workers = 1; workers <= 8; workers *= 2) {
    for (int runs = 0; runs < 2; runs++) {
      wp_pool *pool = pool_of(workers);
      wp_pipeline *pipeline = pipeline_on(pool, 0, 5);
      wp_reader *reader = open_reader(paths[1], WP_SPLIT_FASTQ, 500);
      size_t got = 0;
      CHECK_EQUAL(wp_pipeline_set_reader(pipeline, reader), WP_OK);
      add_stage(pipeline, WP_SERIAL, stop, NULL);
      if (runs) CHECK_EQUAL(wp_pipeline_run(pipeline), WP_STOPPED);
      CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
      CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
      if (runs) {
        CHECK(wp_reader_read(reader, decoded.data, text.size + 1, &got) < 0);
      } else {
        CHECK_EQUAL(wp_reader_read(reader, decoded.data, text.size + 1, &got), WP_OK);
        CHECK_EQUAL(got, text.size);
        CHECK(!memcmp(decoded.data, text.data, text.size));
      }
      CHECK_EQUAL(wp_reader_close(reader), WP_OK);
    }
  }
}

static void pipelines(void) {
  for (uint32_t workers = 0; workers <= 8; workers = workers ? workers * 2 : 1) {
    for (int i = 0; i < 3; i++) {
      wp_pool *pool = workers ? pool_of(workers) : NULL;
      wp_pipeline *pipeline =
        pipeline_on(pool, workers ? 0 : WP_PIPELINE_SERIAL_REFERENCE, 5);
      wp_reader *reader = open_reader(sample, WP_SPLIT_FASTQ, 500);
      wp_writer_options options = WP_WRITER_OPTIONS_INIT;
      wp_writer *writer = NULL;
      options.flags = WP_WRITER_OVERWRITE;
      CHECK_EQUAL(wp_writer_open(paths[i], &options, &writer), WP_OK);
      CHECK_EQUAL(wp_pipeline_set_reader(pipeline, reader), WP_OK);
      place place = { 0, 0, 0 };
      add_stage(pipeline, WP_SERIAL, follow, &place);
      add_stage(pipeline, WP_PARALLEL, invert, NULL);
      CHECK_EQUAL(wp_pipeline_set_writer(pipeline, writer), WP_OK);
      CHECK_EQUAL(wp_reader_close(reader), WP_BUSY);
      CHECK_EQUAL(wp_writer_close(writer), WP_BUSY);
      CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
      CHECK_EQUAL(place.offset, text.size);
      CHECK(place.packed > 0);
      CHECK_EQUAL(wp_writer_finish(writer, NULL), WP_OK);
      CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
      CHECK_EQUAL(wp_reader_close(reader), WP_OK);
      CHECK_EQUAL(wp_writer_close(writer), WP_OK);
      CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
      if (workers == 0) get(paths[i], i == 0 ? &packed : &again);
      CHECK_EQUAL(decode(paths[i], 1 << 20, &decoded), WP_END);
      CHECK_EQUAL(decoded.size, text.size);
      for (size_t k = 0; k < decoded.size; k++) decoded.data[k] ^= 1;
      CHECK(!memcmp(decoded.data, text.data, text.size));
    }
  }
}

/* ----- recipes ----- */

/* Steps with typed values, barcodes, and files that are called after a prefix. */
static void typed_steps(wp_pool *pool) {
  const wp_param region[] = {
    { .key = "source", .type = WP_PARAM_TEXT, .text = "read1" },
    { .key = "start", .type = WP_PARAM_INT, .integer = 0 },
    { .key = "len", .type = WP_PARAM_INT, .integer = 1 },
    { .key = "anchor", .type = WP_PARAM_TEXT, .text = "start" },
    { .key = "out_label", .type = WP_PARAM_TEXT, .text = "first" },
  };
  const wp_param split[] = {
    { .key = "in_label", .type = WP_PARAM_TEXT, .text = "first" },
    { .key = "barcodes", .type = WP_PARAM_TEXT, .text = "bases" },
    { .key = "output_unmatched", .type = WP_PARAM_BOOL, .integer = 1 },
  };
  const char *labels[] = { "first" };
  const wp_param table[] = {
    { .key = "infix", .type = WP_PARAM_TEXT, .text = "t" },
    { .key = "in_labels", .type = WP_PARAM_TEXTS, .texts = labels, .count = 1 },
  };
  const wp_param report[] = {
    { .key = "name", .type = WP_PARAM_TEXT, .text = "all" },
    { .key = "count_oligos", .type = WP_PARAM_TOML, .text = "[\"AC\", \"GT\"]" },
  };
  const wp_param sample_of[] = {
    { .key = "p", .type = WP_PARAM_DOUBLE, .number = 0.5 },
    { .key = "seed", .type = WP_PARAM_INT, .integer = 1 },
  };
  wp_recipe *recipe = NULL;
  CHECK_EQUAL(wp_recipe_create(NULL, 1, 0, &recipe), WP_OK);
  CHECK_EQUAL(wp_recipe_add_step(recipe, "FilterSample", sample_of, 2), WP_OK);
  CHECK_EQUAL(wp_recipe_add_step(recipe, "ExtractRegion", region, 5), WP_OK);
  CHECK_EQUAL(wp_recipe_add_step(recipe, "Demultiplex", split, 3), WP_OK);
  CHECK_EQUAL(wp_recipe_add_step(recipe, "StoreTagsInTable", table, 2), WP_OK);
  CHECK_EQUAL(wp_recipe_add_step(recipe, "Report", report, 2), WP_OK);
  CHECK_EQUAL(wp_recipe_add_barcode(recipe, "bases", "A", "adenine"), WP_OK);
  CHECK_EQUAL(wp_recipe_add_barcode(recipe, "bases", "K", "keto"), WP_OK);
  CHECK_EQUAL(wp_recipe_set_prefix(recipe, ""), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_recipe_set_prefix(recipe, "typed"), WP_OK);
  CHECK_EQUAL(wp_recipe_check(recipe), WP_OK);
  CHECK_EQUAL(wp_recipe_add_step(recipe, "Head", NULL, 0), WP_INVALID_STATE);
  CHECK_EQUAL(wp_recipe_add_barcode(recipe, "bases", "C", "x"), WP_INVALID_STATE);
  CHECK_EQUAL(wp_recipe_set_prefix(recipe, "x"), WP_INVALID_STATE);
  const char *inputs[] = { sample };
  wp_run_options options = WP_RUN_OPTIONS_INIT;
  wp_run_report total = { .struct_size = sizeof total };
  options.flags = WP_RUN_OVERWRITE;
  CHECK_EQUAL(wp_recipe_run(recipe, pool, inputs, 1, NULL, 0, &options, &total), WP_OK);
  static const char *const names[] = { "typed_adenine_read1.fq", "typed_keto_read1.fq",
                                       "typed_no-barcode_read1.fq" };
  uint64_t records = 0;
  for (int i = 0; i < 3; i++) {
    wp_reader *reader = open_reader(names[i], WP_SPLIT_FASTQ, 1000000);
    wp_chunk chunk = { 0 };
    CHECK_EQUAL(wp_reader_next(reader, &chunk), WP_OK);
    CHECK(chunk.records > 0);
    records += chunk.records;
    CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  }
  CHECK_EQUAL(records, total.reads_out);
  CHECK(total.reads_out > total.reads_in / 3 && total.reads_out < total.reads_in * 2 / 3);
  CHECK(exists("typed.json") && exists("typed_t_keto.tsv"));
  wp_recipe_destroy(recipe);

  static const wp_param wrong[] = {
    { .key = "n", .type = WP_PARAM_TEXT, .text = "5" }, /* no number by its type */
    { .key = "n", .type = WP_PARAM_TOML, .text = "[" },
    { .key = "n", .type = 77 },
    { .key = NULL, .type = WP_PARAM_INT },
    { .key = "n", .type = WP_PARAM_BOOL, .integer = 2 },
    { .key = "n", .type = WP_PARAM_TEXTS, .texts = NULL, .count = 1 },
  };
  CHECK_EQUAL(wp_recipe_create(NULL, 1, 0, &recipe), WP_OK);
  for (int i = 1; i < 6; i++)
    CHECK_EQUAL(wp_recipe_add_step(recipe, "Head", wrong + i, 1), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_recipe_add_step(recipe, "Head", NULL, 1), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_recipe_add_step(recipe, NULL, NULL, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_recipe_add_step(recipe, "Head", wrong, 1), WP_OK);
  CHECK_EQUAL(wp_recipe_check(recipe), WP_INVALID_ARGUMENT);
  CHECK(strstr(wp_last_error_text(), "n = \"5\""));
  wp_recipe_destroy(recipe);
  CHECK_EQUAL(wp_recipe_create(NULL, 1, 0, &recipe), WP_OK);
  CHECK_EQUAL(wp_recipe_add_barcode(recipe, "bases", "AX", "x"), WP_OK);
  CHECK_EQUAL(wp_recipe_check(recipe), WP_INVALID_ARGUMENT);
  wp_recipe_destroy(recipe);
}

static void recipes(void) {
  const char *name = NULL, *summary = NULL, *keys = NULL;
  size_t steps = 0;
  while (wp_step_info(steps, &name, &summary, &keys) == WP_OK) {
    CHECK(name && *name && summary && *summary && keys);
    steps++;
  }
  CHECK(steps >= 10);
  CHECK_EQUAL(wp_step_info(steps, NULL, NULL, NULL), WP_END);

  wp_pool *pool = pool_of(2);
  wp_recipe *recipe = NULL;
  CHECK_EQUAL(wp_recipe_create(NULL, 1, 0, &recipe), WP_OK);
  CHECK_EQUAL(wp_recipe_add(recipe, "Head n=50"), WP_OK);
  CHECK_EQUAL(wp_recipe_add(recipe, "CutStart n=5 segment=read1"), WP_OK);
  CHECK_EQUAL(wp_recipe_check(recipe), WP_OK);
  CHECK_EQUAL(wp_recipe_add(recipe, "Head n=5"), WP_INVALID_STATE);
  const char *inputs[] = { sample }, *outputs[] = { "head.fq.gz" };
  wp_run_options options = WP_RUN_OPTIONS_INIT;
  wp_run_report report = { .struct_size = sizeof report };
  for (int serial = 0; serial < 2; serial++) {
    options.flags = WP_RUN_OVERWRITE | (serial ? WP_RUN_SERIAL_REFERENCE : 0);
    CHECK_EQUAL(wp_recipe_run(recipe, pool, inputs, 1, outputs, 1, &options, &report), WP_STOPPED);
    CHECK_EQUAL(report.status, WP_STOPPED);
    CHECK_EQUAL(report.reads_out, 50);
    get("head.fq.gz", serial ? &again : &packed);
  }
  CHECK_EQUAL(again.size, packed.size);
  CHECK(!memcmp(again.data, packed.data, packed.size));
  wp_reader *reader = open_reader("head.fq.gz", WP_SPLIT_FASTQ, 1000);
  wp_chunk chunk = { 0 };
  CHECK_EQUAL(wp_reader_next(reader, &chunk), WP_OK);
  CHECK_EQUAL(chunk.records, 50);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  options.flags = 0;
  CHECK_EQUAL(wp_recipe_run(recipe, pool, inputs, 1, outputs, 1, &options, NULL),
              WP_OUTPUT_EXISTS);
  wp_recipe_destroy(recipe);

  CHECK_EQUAL(wp_recipe_create(NULL, 1, 0, &recipe), WP_OK);
  CHECK_EQUAL(wp_recipe_add(recipe, "Hed n=50"), WP_OK);
  CHECK_EQUAL(wp_recipe_add(recipe, "CutStart n=-1 segment=read7"), WP_OK);
  CHECK_EQUAL(wp_recipe_check(recipe), WP_INVALID_ARGUMENT);
  CHECK(strstr(wp_last_error_text(), "Hed") && strstr(wp_last_error_text(), "read7"));
  wp_recipe_destroy(recipe);
  wp_recipe_destroy(NULL);
  CHECK_EQUAL(wp_recipe_create(NULL, 0, 0, &recipe), WP_INVALID_ARGUMENT);
  typed_steps(pool);
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

int main(int count, char **words) {
  char full[4096];
  if (count != 3 || !realpath(words[2], full) || chdir(words[1])) return 2;
  sample = full;
  CHECK_EQUAL(decode(sample, 1 << 20, &text), WP_END);
  RUN("what is written is read again, whatever the pieces", round_trips);
  RUN("with a pool, of any number of workers, the same is read", pooled);
  RUN("a file of nothing is whole", nothing);
  RUN("a damaged file is an error that names it", damage);
  RUN("bytes behind the end are an error, a note or nothing, as asked", trailing_bytes);
  RUN("blocks hold whole records, so many as asked", splits);
  RUN("a remainder of fixed records is an error", fixed_records);
  RUN("descriptors stay the caller's, pipes will do", descriptors);
  RUN("an output has its name when it is complete, not before", outputs);
  RUN("a pipeline reads, works and packs in order, on any workers", pipelines);
  RUN("the pool may go before the reader that a pipeline had", pool_goes_first);
  RUN("a recipe gives the same file with and without workers", recipes);
  return CHECK_SUMMARY();
}
