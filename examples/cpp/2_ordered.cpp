// SPDX-License-Identifier: MIT
// Reads the lines of a .gz file, puts them into upper case on all workers at once, and writes them,
// in order, to another .gz file. Usage: 2_ordered INPUT OUTPUT
#include <cctype>
#include <iostream>
#include <workpool.hpp>

int main(int argc, char **argv) try {
  if (argc != 3) return 2;
  workpool::Pool pool;
  // Blocks of 4096 bytes, and on to the end of a line; the default is 1 MiB.
  workpool::Reader reader(argv[1], workpool::ReaderOptions().bytes_per_block(4096));
  workpool::Writer writer(argv[2], workpool::WriterOptions().overwrite());
  workpool::Pipeline pipeline(pool);

  uint64_t total = 0;
  pipeline.source(reader);
  // Parallel: several blocks at once, in any order. It changes the payload where it lies.
  pipeline.stage("upper", workpool::parallel, [](workpool::Block &block) {
    for (uint8_t &byte : block) byte = uint8_t(std::toupper(byte));
  });
  // Serial: block 0, then 1, then 2, never two at once; so the sum needs no lock.
  pipeline.stage("count", workpool::serial, [&total](workpool::Block &block) {
    total += block.meta(0);  // the reader has put the number of its lines there
  });
  pipeline.sink(writer);

  pipeline.run();
  const workpool::WriterInfo written = writer.finish();  // the file gets its name only now
  std::cout << total << " lines, " << written.bytes << " bytes\n";
  return 0;
} catch (const std::exception &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
