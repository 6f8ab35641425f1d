// SPDX-License-Identifier: MIT
// What goes wrong, and where: a line that is not as it should be, then a file that ends too early.
// Usage: 4_errors INPUT DAMAGED_INPUT
#include <iostream>
#include <sstream>
#include <string_view>

#include "wp.hpp"

// Every line must begin with a digit. What a stage throws is the error of its block.
static int32_t check_lines(wp_block &block) {
  std::string_view rest(reinterpret_cast<const char *>(block.data), block.size);
  // meta[1] is the number of lines before this block: the reader has put it there.
  for (uint64_t number = block.meta[1] + 1; !rest.empty(); number++) {
    auto line = rest.substr(0, rest.find('\n'));
    if (line.empty() || line[0] < '0' || line[0] > '9') {
      std::ostringstream text;
      text << "line " << number << ": '" << line << "' does not begin with a number";
      throw std::runtime_error(text.str());
    }
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return WP_STAGE_OK;
}

static void check_file(const wp::pool &pool, const char *path) {
  wp_reader_options lines = WP_READER_OPTIONS_INIT;
  lines.bytes_per_block = 4096;
  auto reader = wp::make<wp::reader>(wp_reader_open, path, &lines);
  auto pipeline = wp::make<wp::pipeline>(wp_pipeline_create, pool.get(), nullptr);
  wp::check(wp_pipeline_set_reader(pipeline.get(), reader.get()));
  wp::add(pipeline, wp_pipeline_add_stage, "check", WP_PARALLEL, check_lines);

  int32_t status = wp_pipeline_run(pipeline.get());
  std::cout << (status == WP_STAGE_FAILED ? "failed\n" : "checked\n");
  // The failure of the lowest block counts, however many workers there are, and all blocks before
  // it have been delivered.
  wp_error_entry error{};
  error.struct_size = sizeof error;
  for (size_t i = 0; wp_pipeline_error(pipeline.get(), i, &error) == WP_OK; i++) {
    wp_stage_statistics at{};
    at.struct_size = sizeof at;
    wp_pipeline_stage_statistics(pipeline.get(), error.stage, &at);
    std::cout << "block " << error.number << ", stage " << error.stage << " (" << at.name
              << "): " << error.text << "\n";
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  auto pool = wp::make<wp::pool>(wp_pool_create, nullptr);
  check_file(pool, argv[1]);
  check_file(pool, argv[2]);
  try {
    wp::make<wp::reader>(wp_reader_open, "no such file", nullptr);
  } catch (const wp::error &error) {
    std::cout << wp_status_name(error.code) << ": " << error.what() << "\n";
  }
}
