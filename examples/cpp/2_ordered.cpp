// SPDX-License-Identifier: MIT
// Reads the lines of a .gz file, puts them into upper case on all workers at once, and writes them,
// in order, to another .gz file. Usage: 2_ordered INPUT OUTPUT
#include <cctype>
#include <iostream>

#include "wp.hpp"

int main(int argc, char **argv) try {
  if (argc != 3) return 2;
  // What is made last goes first: the pipeline before what it uses.
  auto pool = wp::make<wp::pool>(wp_pool_create, nullptr);
  wp_reader_options lines = WP_READER_OPTIONS_INIT;
  lines.bytes_per_block = 4096;  // and on to the end of a line; the default is 1 MiB
  auto reader = wp::make<wp::reader>(wp_reader_open, argv[1], &lines);
  wp_writer_options output = WP_WRITER_OPTIONS_INIT;
  output.flags = WP_WRITER_OVERWRITE;
  auto writer = wp::make<wp::writer>(wp_writer_open, argv[2], &output);
  auto pipeline = wp::make<wp::pipeline>(wp_pipeline_create, pool.get(), nullptr);

  uint64_t total = 0;
  wp::check(wp_pipeline_set_reader(pipeline.get(), reader.get()));
  // Parallel: several blocks at once, in any order. It changes the payload where it lies.
  wp::add(pipeline, wp_pipeline_add_stage, "upper", WP_PARALLEL, [](wp_block &block) {
    for (size_t i = 0; i < block.size; i++) block.data[i] = uint8_t(std::toupper(block.data[i]));
    return WP_STAGE_OK;
  });
  // Serial: block 0, then 1, then 2, never two at once; so the sum needs no lock.
  wp::add(pipeline, wp_pipeline_add_stage, "count", WP_SERIAL, [&total](wp_block &block) {
    total += block.meta[0];  // the reader has put the number of its lines there
    return WP_STAGE_OK;
  });
  wp::check(wp_pipeline_set_writer(pipeline.get(), writer.get()));

  wp::check(wp_pipeline_run(pipeline.get()));
  wp_writer_info written{};
  written.struct_size = sizeof written;
  wp::check(wp_writer_finish(writer.get(), &written));  // the file gets its name only now
  std::cout << total << " lines, " << written.bytes << " bytes\n";
  return 0;
} catch (const wp::error &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
