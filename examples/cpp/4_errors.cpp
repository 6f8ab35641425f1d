// SPDX-License-Identifier: MIT
// What goes wrong, and where: a line that is not as it should be, then a file that ends too early.
// Usage: 4_errors INPUT DAMAGED_INPUT
#include <iostream>
#include <sstream>
#include <string_view>
#include <workpool.hpp>

// Every line must begin with a digit. What a stage throws is the error of its block.
static void check_lines(workpool::Block &block) {
  std::string_view rest = block.text();
  // meta(1) is the number of lines before this block: the reader has put it there.
  for (uint64_t number = block.meta(1) + 1; !rest.empty(); number++) {
    auto line = rest.substr(0, rest.find('\n'));
    if (line.empty() || line[0] < '0' || line[0] > '9') {
      std::ostringstream text;
      text << "line " << number << ": '" << line << "' does not begin with a number";
      throw std::runtime_error(text.str());
    }
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
}

static void check_file(const workpool::Pool &pool, const char *path) {
  const workpool::Reader reader(path, workpool::ReaderOptions().bytes_per_block(4096));
  workpool::Pipeline pipeline(pool);
  pipeline.source(reader);
  pipeline.stage("check", workpool::parallel, check_lines);
  // The failure of the lowest block comes out here, however many workers there are, and all blocks
  // before it have been delivered.
  try {
    pipeline.run();
    std::cout << "checked\n";
  } catch (const std::exception &) {  // what check_lines has thrown, or the reader's Error
    std::cout << "failed\n";
  }
  for (const workpool::BlockError &error : pipeline.errors()) {
    std::cout << "block " << error.number << ", stage " << error.stage << " ("
              << pipeline.statistics(error.stage).name << "): " << error.text << "\n";
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const workpool::Pool pool;
  check_file(pool, argv[1]);
  check_file(pool, argv[2]);
  try {
    const workpool::Reader reader("no such file");
  } catch (const workpool::Error &error) {
    std::cout << error.name() << ": " << error.what() << "\n";
  }
}
