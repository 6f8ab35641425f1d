// SPDX-License-Identifier: MIT
/* Random access, indexes, and blocks in the caller's memory. test_seek FOLDER FASTQ_GZ: files are made
 * in the folder. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages.h"

enum { TEXT = 3 << 20 };
static uint8_t text[TEXT], got[TEXT + 1];

static void put(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(data, 1, size, file) == size && !fclose(file));
}

static size_t get(const char *path) {
  FILE *file = fopen(path, "rb");
  size_t size = file ? fread(got, 1, sizeof got, file) : 0;
  if (file) fclose(file);
  return size;
}

static uint64_t integer(const uint8_t *bytes, int size) {
  uint64_t value = 0;
  while (size--) value = value << 8 | bytes[size];
  return value;
}

static int there(const char *path) {
  struct stat status;
  return stat(path, &status) == 0;
}

/* Writes text with or without an index. */
static void encode(const char *path, const char *index, uint32_t flags, size_t size) {
  wp_writer_options options = WP_WRITER_OPTIONS_INIT;
  wp_writer *writer = NULL;
  options.flags = WP_WRITER_OVERWRITE | flags;
  options.has_level = 1;
  options.level = 1;
  options.bgzf_index = index;
  CHECK_EQUAL(wp_writer_open(path, &options, &writer), WP_OK);
  for (size_t at = 0; at < size; at += 100000) {
    CHECK_EQUAL(wp_writer_write(writer, text + at, size - at < 100000 ? size - at : 100000), WP_OK);
  }
  CHECK_EQUAL(wp_writer_finish(writer, NULL), WP_OK);
  CHECK_EQUAL(wp_writer_close(writer), WP_OK);
}

static wp_reader *reader_of(const char *path, const char *index) {
  wp_reader_options options = WP_READER_OPTIONS_INIT;
  wp_reader *reader = NULL;
  options.bgzf_index = index;
  options.records_per_block = 50;
  CHECK_EQUAL(wp_reader_open(path, &options, &reader), WP_OK);
  return reader;
}

static uint64_t tell(wp_reader *reader) {
  uint64_t offset = UINT64_MAX;
  CHECK_EQUAL(wp_reader_tell(reader, &offset), WP_OK);
  return offset;
}

static uint64_t tell_virtual(wp_reader *reader) {
  uint64_t offset = UINT64_MAX;
  CHECK_EQUAL(wp_reader_tell_virtual(reader, &offset), WP_OK);
  return offset;
}

/* The next bytes are those of text from `offset` on. */
static void reads_at(wp_reader *reader, uint64_t offset, size_t size) {
  size_t left = offset < TEXT ? TEXT - (size_t)offset : 0, count = 0;
  if (size > left) size = left;
  int32_t status = wp_reader_read(reader, got, size ? size : 1, &count);
  CHECK_EQUAL(status, size ? WP_OK : WP_END);
  CHECK_EQUAL(count, size);
  CHECK(!memcmp(got, text + offset, size));
  CHECK_EQUAL(tell(reader), offset + size);
}

static const uint64_t places[] = {
  5, 0, 65280, 65279, 65281, TEXT - 1, 1 << 20, (1 << 20) - 1, 2000000, 2000000, 1, TEXT
};
enum { PLACES = sizeof places / sizeof *places };

/* ----- indexes ----- */

static void gzi(void) {
  encode("a.gz", "a.gz.gzi", 0, TEXT);
  size_t size = get("a.gz.gzi");
  uint64_t blocks = (TEXT + 65279) / 65280, last = 0;
  CHECK_EQUAL(size, 8 + 16 * (blocks - 1));
  CHECK_EQUAL(integer(got, 8), blocks - 1);
  for (uint64_t i = 0; i + 1 < blocks; i++) {
    CHECK(integer(got + 8 + 16 * i, 8) > last);
    last = integer(got + 8 + 16 * i, 8);
    CHECK_EQUAL(integer(got + 16 + 16 * i, 8), (i + 1) * 65280);
  }
  /* Nothing, one block and a whole number of blocks. */
  static const size_t sizes[] = { 0, 1, 65280, 65281, 3 * 65280 };
  for (int i = 0; i < 5; i++) {
    encode("b.gz", "b.gzi", 0, sizes[i]);
    size = get("b.gzi");
    CHECK_EQUAL(integer(got, 8), sizes[i] ? (sizes[i] - 1) / 65280 : 0);
    CHECK_EQUAL(size, 8 + 16 * integer(got, 8));
  }
}

static void seek_table(void) {
  encode("a.zst", NULL, WP_WRITER_ZSTD_SEEK_TABLE, TEXT - 5);
  size_t size = get("a.zst"), frames = 3, table = 8 + 8 * frames + 9;
  const uint8_t *bytes = got + size - table;
  CHECK_EQUAL(integer(bytes, 4), 0x184d2a5e);
  CHECK_EQUAL(integer(bytes + 4, 4), table - 8);
  uint64_t packed = 0;
  for (size_t i = 0; i < frames; i++) {
    packed += integer(bytes + 8 + 8 * i, 4);
    CHECK_EQUAL(integer(bytes + 12 + 8 * i, 4), i < 2 ? 1 << 20 : (1 << 20) - 5);
  }
  CHECK_EQUAL(packed + table, size);
  CHECK_EQUAL(integer(bytes + table - 9, 4), frames);
  CHECK_EQUAL(bytes[table - 5], 0);
  CHECK_EQUAL(integer(bytes + table - 4, 4), 0x8f92eab1);
  encode("empty.zst", NULL, WP_WRITER_ZSTD_SEEK_TABLE, 0);
  size = get("empty.zst");
  CHECK_EQUAL(integer(got + size - 9, 4), 1);
}

static void wrong_indexes(void) {
  static const struct {
    const char *path, *index;
    uint32_t flags;
  } cases[] = { { "x.txt", "x.gzi", 0 }, { "x.zst", "x.gzi", 0 },
                { "x.gz", NULL, WP_WRITER_ZSTD_SEEK_TABLE }, { "x.gz", "x.gz", 0 },
                { "x", NULL, WP_WRITER_ZSTD_SEEK_TABLE } };
  for (int i = 0; i < 5; i++) {
    wp_writer_options options = WP_WRITER_OPTIONS_INIT;
    wp_writer *writer = NULL;
    options.flags = cases[i].flags;
    options.bgzf_index = cases[i].index;
    CHECK_EQUAL(wp_writer_open(cases[i].path, &options, &writer), WP_INVALID_ARGUMENT);
    CHECK(!there(cases[i].path));
  }
  /* Both come at the end, or none. */
  wp_writer_options options = WP_WRITER_OPTIONS_INIT;
  wp_writer *writer = NULL;
  options.bgzf_index = "y.gzi";
  CHECK_EQUAL(wp_writer_open("y.gz", &options, &writer), WP_OK);
  CHECK_EQUAL(wp_writer_write(writer, text, TEXT), WP_OK);
  CHECK(!there("y.gz") && !there("y.gzi"));
  CHECK_EQUAL(wp_writer_close(writer), WP_OK);
  CHECK(!there("y.gz") && !there("y.gzi"));
  put("y.gzi", "old", 3);
  CHECK_EQUAL(wp_writer_open("y.gz", &options, &writer), WP_OUTPUT_EXISTS);
  CHECK(!there("y.gz"));
  CHECK_EQUAL(get("y.gzi"), 3);
}

/* A pipeline on any workers makes the same index. */
static void pipelines(void) {
  put("plain", text, TEXT);
  encode("a.gz", "a.gz.gzi", 0, TEXT);
  encode("a.zst", NULL, WP_WRITER_ZSTD_SEEK_TABLE, TEXT);
  static const char *const made[] = { "p.gz", "p.gzi", "p.zst" };
  static const char *const wanted[] = { "a.gz", "a.gz.gzi", "a.zst" };
  for (uint32_t workers = 1; workers <= 8; workers *= 2) {
    wp_pool *pool = pool_of(workers);
    for (int zstd = 0; zstd < 2; zstd++) {
      wp_pipeline *pipeline = pipeline_on(pool, 0, 7);
      wp_reader *reader = reader_of("plain", NULL);
      wp_writer_options options = WP_WRITER_OPTIONS_INIT;
      wp_writer *writer = NULL;
      options.flags = WP_WRITER_OVERWRITE | (zstd ? WP_WRITER_ZSTD_SEEK_TABLE : 0);
      options.bgzf_index = zstd ? NULL : "p.gzi";
      options.has_level = 1;
      options.level = 1;
      CHECK_EQUAL(wp_writer_open(zstd ? "p.zst" : "p.gz", &options, &writer), WP_OK);
      CHECK_EQUAL(wp_pipeline_set_reader(pipeline, reader), WP_OK);
      CHECK_EQUAL(wp_pipeline_set_writer(pipeline, writer), WP_OK);
      CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
      CHECK_EQUAL(wp_writer_finish(writer, NULL), WP_OK);
      CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
      CHECK_EQUAL(wp_reader_close(reader), WP_OK);
      CHECK_EQUAL(wp_writer_close(writer), WP_OK);
    }
    CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
    for (int i = 0; i < 3; i++) {
      size_t size = get(wanted[i]);
      uint8_t *copy = malloc(size);
      memcpy(copy, got, size);
      CHECK_EQUAL(get(made[i]), size);
      CHECK(!memcmp(copy, got, size));
      free(copy);
    }
  }
}

/* ----- seeking ----- */

static void offsets(void) {
  put("plain", text, TEXT);
  encode("a.gz", "a.gz.gzi", 0, TEXT);
  encode("a.zst", NULL, 0, TEXT);
  encode("table.zst", NULL, WP_WRITER_ZSTD_SEEK_TABLE, TEXT);
  static const char *const files[][2] = {
    { "plain", NULL }, { "a.gz", NULL }, { "a.gz", "a.gz.gzi" }, { "a.zst", NULL },
    { "table.zst", NULL }
  };
  for (int i = 0; i < 5; i++) {
    wp_reader *reader = reader_of(files[i][0], files[i][1]);
    reads_at(reader, 0, 100);
    for (int k = 0; k < PLACES; k++) {
      CHECK_EQUAL(wp_reader_seek(reader, places[k]), WP_OK);
      CHECK_EQUAL(tell(reader), places[k]);
      reads_at(reader, places[k], k % 2 ? 70000 : 3);
    }
    CHECK_EQUAL(wp_reader_seek(reader, UINT64_MAX), WP_OK); /* behind the end is the end */
    reads_at(reader, TEXT, 1);
    CHECK(wp_reader_note(reader, 0) == NULL);
    /* Blocks of whole records go on from there. */
    CHECK_EQUAL(wp_reader_seek(reader, 1 << 20), WP_OK);
    wp_chunk chunk = { 0 };
    uint64_t records = 0, offset = 1 << 20;
    int32_t status;
    while ((status = wp_reader_next(reader, &chunk)) == WP_OK) {
      CHECK_EQUAL(chunk.first_record, records);
      CHECK_EQUAL(chunk.offset, offset);
      CHECK(!memcmp(chunk.data, text + offset, chunk.size));
      records += chunk.records;
      offset += chunk.size;
      CHECK_EQUAL(tell(reader), offset);
    }
    CHECK_EQUAL(status, WP_END);
    CHECK_EQUAL(offset, TEXT);
    CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  }
}

static void virtual_offsets(void) {
  encode("a.gz", NULL, 0, TEXT);
  wp_reader *reader = reader_of("a.gz", NULL);
  enum { STEPS = 60 };
  uint64_t at[STEPS], place[STEPS];
  size_t count;
  for (int i = 0; i < STEPS; i++) {
    at[i] = tell_virtual(reader);
    place[i] = tell(reader);
    CHECK_EQUAL(wp_reader_read(reader, got, i % 3 ? 65280 : 20000, &count), WP_OK);
  }
  CHECK_EQUAL(at[0], 0);
  for (int i = STEPS - 1; i >= 0; i--) {
    CHECK_EQUAL(at[i] & 0xffff, place[i] % 65280);
    CHECK_EQUAL(wp_reader_seek_virtual(reader, at[i]), WP_OK);
    CHECK_EQUAL(tell_virtual(reader), at[i]);
    if (i % 2) CHECK_EQUAL(tell(reader), place[i]);
    CHECK_EQUAL(wp_reader_read(reader, got, 1000, &count), WP_OK);
    CHECK(!memcmp(got, text + place[i], 1000));
    CHECK_EQUAL(tell(reader), place[i] + 1000);
  }
  /* The end of a block is the start of the next one, and may be given as either. */
  CHECK_EQUAL(wp_reader_seek_virtual(reader, 65280), WP_OK);
  CHECK_EQUAL(tell_virtual(reader) & 0xffff, 0);
  CHECK(tell_virtual(reader) > 0);
  reads_at(reader, 65280, 10);
  size_t size = get("a.gz");
  CHECK_EQUAL(wp_reader_seek_virtual(reader, (uint64_t)size << 16), WP_OK);
  reads_at(reader, TEXT, 1);
  CHECK_EQUAL(wp_reader_seek_virtual(reader, (uint64_t)(size - 28) << 16), WP_OK); /* end marker */
  reads_at(reader, TEXT, 1);
  CHECK_EQUAL(tell_virtual(reader), (uint64_t)size << 16);
  CHECK_EQUAL(wp_reader_seek(reader, 70000), WP_OK);
  static const uint64_t wrong[] = { 65281, 1 << 16, UINT64_MAX, (uint64_t)5000000 << 16 };
  for (int i = 0; i < 4; i++) {
    CHECK_EQUAL(wp_reader_seek_virtual(reader, wrong[i]), WP_INVALID_ARGUMENT);
  }
  reads_at(reader, 70000, 100); /* nothing has moved */
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
}

static void not_seekable(void) {
  encode("a.gz", NULL, 0, 200000);
  encode("a.zst", NULL, WP_WRITER_ZSTD_SEEK_TABLE, 200000);
  size_t size = get("a.gz");
  uint8_t *member = malloc(TEXT);
  size_t end = 0;
  uint64_t offset;
  /* The first member without its size: a gzip file that is no BGZF; then behind a BGZF block. */
  size_t first = (size_t)integer(got + 16, 2) + 1;
  memcpy(member, got, 10);
  member[3] = 0;
  memcpy(member + 10, got + 18, first - 18);
  end = first - 8;
  put("member.gz", member, end);
  memcpy(got + size, member, end);
  put("mixed.gz", got, size + end);
  /* A BGZF file whose table is another's is a file without one. */
  wp_reader *reader = reader_of("member.gz", NULL);
  reads_at(reader, 0, 10);
  CHECK_EQUAL(wp_reader_seek(reader, 5), WP_UNSUPPORTED);
  CHECK(strstr(wp_last_error_text(), "member.gz: ") != NULL);
  CHECK_EQUAL(wp_reader_tell_virtual(reader, &offset), WP_UNSUPPORTED);
  CHECK_EQUAL(wp_reader_seek_virtual(reader, 0), WP_UNSUPPORTED);
  reads_at(reader, 10, 10);
  CHECK_EQUAL(wp_reader_seek(reader, 0), WP_OK);
  reads_at(reader, 0, 10);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);

  reader = reader_of("mixed.gz", NULL);
  CHECK_EQUAL(wp_reader_seek(reader, 5), WP_UNSUPPORTED);
  CHECK_EQUAL(wp_reader_seek_virtual(reader, 5), WP_OK);
  reads_at(reader, 5, 10) ;
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  free(member);

  int ends[2];
  CHECK_EQUAL(pipe(ends), 0);
  CHECK_EQUAL(write(ends[1], "text", 4), 4);
  CHECK_EQUAL(close(ends[1]), 0);
  CHECK_EQUAL(wp_reader_open_fd(ends[0], "pipe", NULL, &reader), WP_OK);
  CHECK_EQUAL(close(ends[0]), 0);
  CHECK_EQUAL(wp_reader_seek(reader, 0), WP_UNSUPPORTED);
  CHECK_EQUAL(tell(reader), 0);
  size_t count;
  CHECK_EQUAL(wp_reader_read(reader, got, 2, &count), WP_OK);
  CHECK_EQUAL(tell(reader), 2);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
}

static void wrong_gzi(void) {
  encode("a.gz", "a.gz.gzi", 0, TEXT);
  uint8_t index[4096];
  size_t size = get("a.gz.gzi");
  memcpy(index, got, size);
  static const char *const names[] = { "cut", "more", "order", "count", "place", "size" };
  for (int i = 0; i < 6; i++) {
    uint8_t wrong[5000] = { 0 };
    size_t length = size;
    memcpy(wrong, index, size);
    if (i == 0) length -= 3;
    if (i == 1) length += 1;
    if (i == 2) memcpy(wrong + 8 + 16, index + 8, 16);
    if (i == 3) wrong[6] = 1;
    if (i == 4) wrong[8 + 16 * 3]++;
    if (i == 5) wrong[8 + 16 * 4 + 8] -= 10;
    put(names[i], wrong, length);
    wp_reader *reader = reader_of("a.gz", names[i]);
    CHECK_EQUAL(wp_reader_seek(reader, 65280 * 4 + 10), WP_CORRUPT_INPUT);
    CHECK(strstr(wp_last_error_text(), names[i]) != NULL);
    reads_at(reader, 0, 10); /* nothing has moved */
    CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  }
  wp_reader *reader = reader_of("a.gz", "no such file");
  CHECK_EQUAL(wp_reader_seek(reader, 7), WP_IO_FAILED);
  CHECK_EQUAL(wp_last_error_errno(), 2);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  /* Of a file without data, as bgzip writes it, and as we do. */
  for (int i = 0; i < 2; i++) {
    encode("b.gz", "b.gzi", 0, 0);
    if (i == 1) put("b.gzi", "\377\377\377\377\377\377\377\377", 8);
    reader = reader_of("b.gz", "b.gzi");
    CHECK_EQUAL(wp_reader_seek(reader, 7), WP_OK);
    CHECK_EQUAL(tell(reader), 0);
    CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  }
}

/* What is damaged where nobody looks does not matter; where somebody does it is found. */
static void damage(void) {
  encode("a.gz", NULL, 0, TEXT);
  size_t size = get("a.gz");
  got[1000] ^= 4;
  put("damaged.gz", got, size);
  wp_reader *reader = reader_of("damaged.gz", NULL);
  CHECK_EQUAL(wp_reader_seek(reader, 65280), WP_OK);
  reads_at(reader, 65280, 100000);
  /* What comes before the checksum is wrong may still be read. */
  int32_t status = wp_reader_seek(reader, 65279);
  size_t count;
  for (int i = 0; i < 2 && status == WP_OK; i++) status = wp_reader_read(reader, got, 10, &count);
  CHECK_EQUAL(status, WP_CORRUPT_INPUT);
  CHECK_EQUAL(wp_reader_read(reader, got, 10, &count), WP_CORRUPT_INPUT);
  CHECK_EQUAL(wp_reader_seek(reader, 1000000), WP_OK);
  reads_at(reader, 1000000, 10);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  size = get("a.gz");
  put("cut.gz", got, size - 100);
  reader = reader_of("cut.gz", NULL);
  CHECK_EQUAL(wp_reader_seek(reader, 5), WP_TRUNCATED_INPUT);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
}

/* A reader that served a pipeline can be sought, and serve another. */
static void between_runs(void) {
  encode("a.gz", NULL, 0, TEXT);
  put("plain", text, TEXT);
  static const char *const files[] = { "a.gz", "plain" };
  wp_pool *pool = pool_of(2);
  for (int i = 0; i < 2; i++) {
    wp_reader *reader = reader_of(files[i], NULL);
    for (uint64_t run = 0; run < 3; run++) {
      wp_pipeline *pipeline = pipeline_on(pool, 0, 4);
      wp_result result = { .struct_size = sizeof result };
      uint64_t offset;
      CHECK_EQUAL(wp_reader_seek(reader, run << 20), WP_OK);
      CHECK_EQUAL(wp_pipeline_set_reader(pipeline, reader), WP_OK);
      CHECK_EQUAL(wp_reader_seek(reader, 0), WP_BUSY);
      CHECK_EQUAL(wp_reader_tell(reader, &offset), WP_BUSY);
      CHECK_EQUAL(wp_reader_next_into(reader, got, 100, &(wp_chunk){ 0 }), WP_BUSY);
      CHECK_EQUAL(wp_pipeline_run(pipeline), WP_OK);
      CHECK_EQUAL(wp_pipeline_result(pipeline, &result), WP_OK);
      CHECK_EQUAL(wp_pipeline_destroy(pipeline), WP_OK);
      CHECK_EQUAL(tell(reader), TEXT);
    }
    CHECK_EQUAL(wp_reader_seek(reader, 12345), WP_OK);
    reads_at(reader, 12345, 1000);
    CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  }
  CHECK_EQUAL(wp_pool_destroy(pool), WP_OK);
}

/* ----- the caller's memory ----- */

static void into(void) {
  put("plain", text, TEXT);
  encode("a.gz", NULL, 0, TEXT);
  for (int i = 0; i < 2; i++) {
    for (size_t room = 1; room <= 1 << 20; room = room * 37 + 50) {
      wp_reader *reader = reader_of(i ? "a.gz" : "plain", NULL);
      uint8_t *memory = malloc(room);
      uint64_t records = 0, offset = 0;
      int32_t status;
      wp_chunk chunk = { 0 };
      for (;;) {
        status = wp_reader_next_into(reader, memory, room, &chunk);
        if (status == WP_LIMIT_EXCEEDED) {
          CHECK(chunk.size > room && chunk.data == NULL);
          CHECK_EQUAL(tell(reader), offset);
          size_t size = chunk.size;
          CHECK_EQUAL(wp_reader_next_into(reader, NULL, 0, &chunk), WP_LIMIT_EXCEEDED);
          CHECK_EQUAL(chunk.size, size);
          room = size;
          memory = realloc(memory, room);
          continue;
        }
        if (status != WP_OK) break;
        CHECK(chunk.data == memory && chunk.size <= room);
        CHECK_EQUAL(chunk.offset, offset);
        CHECK_EQUAL(chunk.first_record, records);
        CHECK(!memcmp(memory, text + offset, chunk.size));
        records += chunk.records;
        offset += chunk.size;
      }
      CHECK_EQUAL(status, WP_END);
      CHECK_EQUAL(chunk.size, 0);
      CHECK_EQUAL(offset, TEXT);
      free(memory);
      CHECK_EQUAL(wp_reader_close(reader), WP_OK);
    }
  }
  /* One that did not fit is what wp_reader_next returns; a limit of the reader is no question of room. */
  wp_chunk chunk = { 0 };
  wp_reader *reader = reader_of("plain", NULL);
  CHECK_EQUAL(wp_reader_next_into(reader, NULL, 0, &chunk), WP_LIMIT_EXCEEDED);
  size_t size = chunk.size;
  CHECK_EQUAL(wp_reader_next(reader, &chunk), WP_OK);
  CHECK(chunk.size == size && chunk.offset == 0);
  CHECK_EQUAL(wp_reader_next_into(reader, got, TEXT, &chunk), WP_OK);
  CHECK_EQUAL(chunk.offset, size);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  wp_reader_options options = WP_READER_OPTIONS_INIT;
  options.max_record = 3;
  CHECK_EQUAL(wp_reader_open("plain", &options, &reader), WP_OK);
  CHECK_EQUAL(wp_reader_next_into(reader, got, TEXT, &chunk), WP_LIMIT_EXCEEDED);
  CHECK_EQUAL(chunk.size, 0);
  CHECK_EQUAL(wp_reader_next_into(reader, got, TEXT, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_reader_next_into(reader, NULL, 1, &chunk), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
}

static void arguments(void) {
  put("plain", text, 100);
  wp_reader *reader = reader_of("plain", NULL);
  CHECK_EQUAL(wp_reader_tell(reader, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_reader_tell_virtual(reader, NULL), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_reader_seek(NULL, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_reader_seek_virtual(NULL, 0), WP_INVALID_ARGUMENT);
  CHECK_EQUAL(wp_last_error_errno(), 0);
  CHECK_EQUAL(wp_reader_close(reader), WP_OK);
  CHECK_EQUAL(wp_reader_open("no such file", NULL, &reader), WP_IO_FAILED);
  CHECK_EQUAL(wp_last_error_errno(), 2);
}

int main(int count, char **words) {
  if (count != 3 || chdir(words[1])) return 2;
  uint32_t state = 1;
  for (size_t i = 0; i < TEXT; i++) {
    state = state * 1664525 + 1013904223;
    text[i] = i % 61 == 60 ? '\n' : (uint8_t)("ACGT"[state >> 30]);
  }
  text[TEXT - 1] = '\n';
  static const char *const old[] = { "x.txt", "x.gz", "x.zst", "x", "y.gz", "y.gzi" };
  for (int i = 0; i < 6; i++) remove(old[i]);
  RUN("a BGZF index lists every block but the first", gzi);
  RUN("a seek table lists every frame", seek_table);
  RUN("an index comes with its output, and only with one that can have it", wrong_indexes);
  RUN("indexes do not depend on the workers", pipelines);
  RUN("a seek goes to any decoded byte", offsets);
  RUN("virtual offsets lead back to where they were asked for", virtual_offsets);
  RUN("files without a way in say so, and go on where they were", not_seekable);
  RUN("an index that does not fit is an error", wrong_gzi);
  RUN("damage is found where it is read", damage);
  RUN("a reader can be sought between runs", between_runs);
  RUN("blocks come into the caller's memory, or say how much they need", into);
  RUN("arguments are checked, errors of the system have a number", arguments);
  return CHECK_SUMMARY();
}
