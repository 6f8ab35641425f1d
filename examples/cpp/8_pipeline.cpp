// SPDX-License-Identifier: MIT
// A whole pipeline of reads without a configuration: steps by name with typed values, barcodes, a file for
// each of them, a table and a report. Usage: 8_pipeline IN PREFIX
#include <cstdio>
#include <workpool.hpp>

int main(int argc, char **argv) try {
  if (argc != 3) return 2;
  workpool::Pool pool;
  workpool::Recipe recipe;
  recipe
      .add("ExtractRegion", {{"source", "read1"}, {"start", 0}, {"len", 2}, {"anchor", "start"},
                             {"out_label", "code"}})
      .add("CalcExpectedError", {{"aggregate", "sum"}, {"out_label", "errors"}})
      .add("FilterByNumericTag", {{"in_label", "errors"}, {"max_value", 0.5},
                                  {"keep_or_remove", "keep"}})
      .add("Demultiplex", {{"in_label", "code"}, {"barcodes", "samples"},
                           {"output_unmatched", true}})
      .add("StoreTagsInTable",
           {{"infix", "tags"}, {"in_labels", std::vector<std::string>{"errors", "code"}}})
      .add("Report", {{"name", "kept"}, {"base_statistics", true}})
      .barcode("samples", "AA", "liver")
      .barcode("samples", "TY", "heart")  // TC and TT
      .prefix(argv[2])
      .check();
  // No outputs: they are called after the prefix.
  const auto report = recipe.run(pool, {argv[1]}, {}, workpool::RunOptions().overwrite());
  std::printf("read %llu, kept %llu\n", static_cast<unsigned long long>(report.reads_in),
              static_cast<unsigned long long>(report.reads_out));
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
