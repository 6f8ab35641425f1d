// SPDX-License-Identifier: MIT
// Text comes in pieces that end anywhere; a splitter makes a block of every line, also of those that
// lie in several pieces.
#include <iostream>
#include <string>
#include <string_view>
#include <workpool.hpp>

using workpool::Action;
using workpool::Block;

static constexpr std::string_view text =
    "one block in,\nany number out\n\nin order,\nand numbered anew\n"
    "a long line lies in more than two of the pieces that come in\nthe last line has no end";
static constexpr size_t piece_size = 16;

int main() {
  workpool::Pool pool;
  workpool::Pipeline pipeline(pool);
  pipeline.source("pieces", [](Block &block) {
    const size_t begin = block.number() * piece_size;
    if (begin >= text.size()) return false;
    block.set(text.substr(begin, piece_size));
    return true;
  });

  // What the splitter knows from one call to the next: calls come one after the other.
  size_t position = 0;  // in the piece
  std::string begun;    // the beginning of a line whose rest comes with the next piece
  pipeline.splitter("lines", [&](Block &line, const workpool::Input *piece) {
    if (!piece) {  // no more pieces
      if (begun.empty()) return Action::drop;
      line.set(std::move(begun));
      return Action::go_on;
    }
    const std::string_view rest = piece->text().substr(position);
    const size_t end = rest.find('\n');
    begun += rest.substr(0, end);
    if (end == rest.npos) {
      position = 0;
      return Action::drop;  // keep this, emit nothing
    }
    position += end + 1;
    line.set(std::exchange(begun, {}));
    return Action::more;  // there may be another line in it
  });
  pipeline.stage("upper", workpool::parallel, [](Block &block) {
    for (uint8_t &byte : block) {
      if (byte >= 'a' && byte <= 'z') byte = uint8_t(byte - 'a' + 'A');
    }
  });
  pipeline.sink("print", [](Block &block) {
    std::cout << "line " << block.number() << " ends in piece " << block.source_number() << ": "
              << block.text() << "\n";
  });

  pipeline.run();
  const workpool::StageStatistics lines = pipeline.statistics(1);
  std::cout << lines.blocks_in << " pieces, " << lines.blocks_out << " lines\n";
}
