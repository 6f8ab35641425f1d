// SPDX-License-Identifier: MIT
// Filters a pair of FASTQ files with built-in steps. Usage: 5_fastq IN_1 IN_2 OUT_1 OUT_2
#include <iostream>

#include "wp.hpp"

int main(int argc, char **argv) try {
  if (argc != 5) return 2;
  auto pool = wp::make<wp::pool>(wp_pool_create, nullptr);
  // Two segments, read1 and read2: the two files are kept in step.
  auto recipe = wp::make<wp::recipe>(wp_recipe_create, nullptr, 2, 0);
  for (const char *step : {
           "CutStart n=5 segment=read1",                                     // an adapter's rest,
           "Truncate n=100 segment=read2",                                   // the mates' bad end;
           "CalcExpectedError out_label=errors aggregate=sum segment=all",   // a number for a pair
           "FilterByNumericTag in_label=errors max_value=1 keep_or_remove=keep",  // to judge it by
       })
    wp::check(wp_recipe_add(recipe.get(), step));
  wp::check(wp_recipe_check(recipe.get()));  // lists all that is wrong, a line each

  wp_run_options options = WP_RUN_OPTIONS_INIT;
  options.flags = WP_RUN_OVERWRITE;
  wp_run_report report{};
  report.struct_size = sizeof report;
  wp::check(wp_recipe_run(recipe.get(), pool.get(), argv + 1, 2, argv + 3, 2, &options, &report));
  std::cout << "read " << report.reads_in << " pairs with " << report.bases_in << " bases\n"
            << "kept " << report.reads_out << " pairs with " << report.bases_out << " bases\n";
  return 0;
} catch (const wp::error &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
