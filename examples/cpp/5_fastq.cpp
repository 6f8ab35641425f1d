// SPDX-License-Identifier: MIT
// Filters a pair of FASTQ files with built-in steps. Usage: 5_fastq IN_1 IN_2 OUT_1 OUT_2
#include <iostream>
#include <workpool.hpp>

int main(int argc, char **argv) try {
  if (argc != 5) return 2;
  const workpool::Pool pool;
  // Two segments, read1 and read2: the two files are kept in step.
  workpool::Recipe recipe(2);
  recipe.add("CutStart n=5 segment=read1");    // an adapter's rest,
  recipe.add("Truncate n=100 segment=read2");  // the mates' bad end;
  recipe.add("CalcExpectedError out_label=errors aggregate=sum segment=all");  // for each pair
  recipe.add("FilterByNumericTag in_label=errors max_value=1 keep_or_remove=keep");  // a judgement
  recipe.check();  // throws all that is wrong, a line each

  const workpool::RunReport report = recipe.run(pool, {argv[1], argv[2]}, {argv[3], argv[4]},
                                                workpool::RunOptions().overwrite());
  std::cout << "read " << report.reads_in << " pairs with " << report.bases_in << " bases\n"
            << "kept " << report.reads_out << " pairs with " << report.bases_out << " bases\n";
  return 0;
} catch (const std::exception &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
