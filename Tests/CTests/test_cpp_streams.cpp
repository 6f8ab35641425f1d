// SPDX-License-Identifier: MIT
// workpool.hpp: readers, writers and recipes. Usage: test_cpp_streams FOLDER SAMPLE.fastq.gz
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "stages.hpp"

using workpool::Block;
using workpool::Compression;
using workpool::Pipeline;
using workpool::Pool;
using workpool::Reader;
using workpool::ReaderOptions;
using workpool::Recipe;
using workpool::RunOptions;
using workpool::Writer;
using workpool::WriterOptions;

static std::string folder, sample;
static std::string in_folder(const char *name) { return folder + "/" + name; }

static std::string all_of(Reader &reader) {
  std::string all;
  char buffer[5000];
  while (const size_t size = reader.read(buffer, sizeof buffer)) all.append(buffer, size);
  return all;
}

static const std::string &lines() {
  static const std::string text = [] {
    std::string made;
    for (int i = 0; i < 3000; i++) made += "line " + std::to_string(i) + "\n";
    return made;
  }();
  return text;
}

static void round_trips() {
  struct Case {
    Compression compression, found;
    const char *name;
  };
  static const Case cases[] = {
      {Compression::automatic, Compression::bgzf, "cpp.gz"},
      {Compression::automatic, Compression::zstd, "cpp.zst"},
      {Compression::plain, Compression::plain, "cpp.any"},
      {Compression::gzip, Compression::bgzf, "cpp.any"},
      {Compression::zstd, Compression::zstd, "cpp.any"},
  };
  for (const Case &one : cases) {
    const std::string path = in_folder(one.name);
    Writer writer(path, WriterOptions().compression(one.compression).overwrite());
    writer.write(lines());
    writer.write("the", 3);
    writer.write(" end\n");
    const auto written = writer.finish();
    CHECK_EQUAL(written.bytes, lines().size() + 8);
    CHECK_THROWS(writer.finish(), WP_INVALID_STATE);
    writer.close();
    writer.close();
    Reader reader(path);
    CHECK(all_of(reader) == lines() + "the end\n");
    CHECK_EQUAL(reader.info().compression, static_cast<uint32_t>(one.found));
    CHECK_EQUAL(reader.info().bytes, written.bytes);
    CHECK_EQUAL(reader.notes().size(), 0);
    reader.close();
    reader.close();
    CHECK(reader.handle() == nullptr);
  }
  CHECK_THROWS(Writer(in_folder("cpp.gz")), WP_OUTPUT_EXISTS);
  CHECK_THROWS(Writer(in_folder("cpp.gz"), WriterOptions().level(77).overwrite()),
               WP_INVALID_ARGUMENT);
  { const Writer unfinished(in_folder("cpp.unfinished"), WriterOptions().sync()); }
  CHECK_THROWS(Reader(in_folder("cpp.unfinished")), WP_IO_FAILED);
}

static void chunks() {
  {
    Writer writer(in_folder("cpp.lines"), WriterOptions().overwrite());
    writer.write(lines());
    writer.finish();
  }
  Reader reader(in_folder("cpp.lines"), ReaderOptions().lines().bytes_per_block(500));
  uint64_t records = 0, blocks = 0;
  while (const auto chunk = reader.next()) {
    CHECK_EQUAL(chunk->first_record, records);
    CHECK_EQUAL(chunk->data[chunk->size - 1], '\n');
    records += chunk->records;
    blocks++;
  }
  CHECK_EQUAL(records, 3000);
  CHECK(blocks > 10);
  Reader by_e(in_folder("cpp.lines"), ReaderOptions().lines('e').records_per_block(7));
  CHECK_EQUAL(by_e.next()->records, 7);
  Reader fixed(in_folder("cpp.lines"), ReaderOptions().fixed(3).records_per_block(2));
  CHECK_EQUAL(fixed.next()->size, 6);
  Reader tight(in_folder("cpp.lines"), ReaderOptions().max_record(3).max_window(1 << 20));
  CHECK_THROWS(tight.next(), WP_LIMIT_EXCEEDED);
  CHECK_THROWS(Reader("no such file"), WP_IO_FAILED);
}

static void random_access() {
  for (const bool zstd : {false, true}) {
    const std::string path = in_folder(zstd ? "cpp.seek.zst" : "cpp.seek.gz");
    const std::string index = in_folder("cpp.seek.gzi");
    WriterOptions options;
    options.overwrite();
    if (zstd) options.zstd_seek_table(); else options.bgzf_index(index);
    Writer writer(path, options);
    for (int i = 0; i < 10; i++) writer.write(lines());
    writer.finish();
    ReaderOptions reading;
    if (!zstd) reading.bgzf_index(index);
    Reader reader(path, reading.records_per_block(10));
    const uint64_t place = 5 * lines().size();
    reader.seek(place);
    CHECK_EQUAL(reader.tell(), place);
    std::vector<uint8_t> memory(5);
    auto chunk = reader.next(memory);
    CHECK_EQUAL(chunk->records, 10);
    CHECK(chunk->data == memory.data());
    CHECK(std::string(chunk->data, chunk->data + chunk->size) == lines().substr(0, chunk->size));
    uint64_t records = 10;
    while ((chunk = reader.next(memory))) records += chunk->records;
    CHECK_EQUAL(records, 15000);
    if (zstd) {
      CHECK_THROWS(reader.tell_virtual(), WP_UNSUPPORTED);
      continue;
    }
    reader.seek(place);
    const uint64_t offset = reader.tell_virtual();
    CHECK_EQUAL(offset & 0xffff, place % 65280);
    reader.seek_virtual(offset);
    CHECK_EQUAL(reader.tell(), place);
    CHECK(all_of(reader).substr(0, lines().size()) == lines());
  }
  CHECK_THROWS(Writer(in_folder("cpp.no.txt"), WriterOptions().zstd_seek_table()),
               WP_INVALID_ARGUMENT);
  try {
    Reader("no such file");
    CHECK(false);
  } catch (const workpool::Error &error) {
    CHECK_EQUAL(error.system_error(), 2);
  }
}

static void descriptors() {
  int ends[2];
  CHECK_EQUAL(pipe(ends), 0);
  Writer writer(ends[1], "the pipe", WriterOptions().compression(Compression::zstd).level(3));
  close(ends[1]);
  writer.write("through a pipe");
  writer.finish();
  writer.close();
  Reader reader(ends[0], nullptr, ReaderOptions().trailing(workpool::Trailing::warn));
  close(ends[0]);
  CHECK(all_of(reader) == "through a pipe");
}

// A reader and a writer at the ends of a pipeline, which keeps them.
static void ends_of_a_pipeline() {
  for (const uint32_t workers : {1u, 2u, 8u}) {
    const Pool pool(workers);
    Reader reader(in_folder("cpp.lines"), ReaderOptions().bytes_per_block(300));
    Writer writer(in_folder("cpp.upper.gz"), WriterOptions().overwrite());
    Pipeline pipeline(pool);
    uint64_t records = 0;
    pipeline.source(reader)
        .stage("upper", workpool::parallel,
               [](Block &block) {
                 for (uint8_t &byte : block) {
                   if (byte >= 'a' && byte <= 'z') byte = uint8_t(byte - 32);
                 }
               })
        .stage("count", workpool::serial, [&records](Block &block) { records += block.meta(0); })
        .sink(writer);
    CHECK_THROWS(reader.close(), WP_BUSY);
    CHECK_THROWS(writer.close(), WP_BUSY);
    CHECK(pipeline.run().is_ok());
    CHECK_EQUAL(records, 3000);
    CHECK_EQUAL(writer.finish().bytes, lines().size());
    CHECK_THROWS(pipeline.source(reader), WP_BUSY);
    // Whoever goes first.
    if (workers == 2) pipeline.destroy();
  }
  Reader upper(in_folder("cpp.upper.gz"));
  CHECK(all_of(upper).substr(0, 14) == "LINE 0\nLINE 1\n");
  const Pool pool(2);
  auto reader = std::make_unique<Reader>(in_folder("cpp.lines"));
  Pipeline pipeline(pool);
  pipeline.source(*reader);
  reader.reset();
  CHECK(pipeline.run().is_ok());
  CHECK_THROWS(pipeline.run(), WP_INVALID_STATE);
}

static void recipes() {
  const auto catalogue = workpool::steps();
  CHECK(catalogue.size() > 5);
  for (const auto &step : catalogue) CHECK(*step.name && *step.summary && step.keys);
  const Pool pool(2);
  Recipe recipe;
  recipe.add("Head n=10").add("CutStart n=5");
  recipe.check();
  std::vector<uint64_t> seen;
  RunOptions options;
  options.overwrite().records_per_block(100).max_blocks_in_flight(4);
  options.level(1).compression(Compression::gzip);
  options.progress([&seen](uint64_t reads, uint64_t) { seen.push_back(reads); });
  const auto report = recipe.run(pool, {sample}, {in_folder("cpp.head.fastq.gz")}, options);
  CHECK(report.is_stopped() || report.status == WP_OK);
  CHECK_EQUAL(report.reads_out, 10);
  CHECK(!seen.empty());
  Recipe pair({"a", "b"});
  CHECK_THROWS(pair.add("NoSuchStep").check(), WP_INVALID_ARGUMENT);
  CHECK_THROWS(Recipe({"not good"}).check(), WP_INVALID_ARGUMENT);
  Recipe again(1, true);
  Recipe moved = std::move(again);
  CHECK(moved.handle() != nullptr);
  CHECK_THROWS(recipe.run(pool, {"no such file"}, {in_folder("cpp.none")}), WP_IO_FAILED);
  Recipe serially;
  CHECK_EQUAL(serially
                  .run(pool, {sample}, {in_folder("cpp.all.fastq")},
                       RunOptions().serial_reference().overwrite())
                  .status,
              WP_OK);
}

// What progress throws ends the run and comes out of it.
static void failing_progress() {
  const Pool pool(2);
  workpool::Token token;
  const auto options = RunOptions().overwrite().token(token).records_per_block(50).progress(
      [](uint64_t, uint64_t) { throw Oops{3}; }, std::chrono::nanoseconds(1));
  Recipe recipe;
  CHECK_EQUAL(oops_of([&] { recipe.run(pool, {sample}, {in_folder("cpp.fail.fastq")}, options); }),
              3);
  CHECK(!token.is_cancelled());  // it is the caller's
  token.cancel();
  Recipe cancelled;
  CHECK_THROWS(cancelled.run(pool, {sample}, {in_folder("cpp.fail.fastq")},
                             RunOptions().overwrite().token(token)),
               WP_CANCELLED);
}

int main(int count, char **words) {
  if (count != 3) return 2;
  folder = words[1];
  sample = words[2];
  RUN("what is written is read again", round_trips);
  RUN("a reader gives blocks of whole records", chunks);
  RUN("random access by offsets and virtual offsets, blocks in the caller's memory", random_access);
  RUN("descriptors are duplicated", descriptors);
  RUN("a pipeline keeps its reader and its writer", ends_of_a_pipeline);
  RUN("recipes run", recipes);
  RUN("what a progress function throws ends the run", failing_progress);
  return CHECK_SUMMARY();
}
