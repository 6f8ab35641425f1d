// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct DemultiplexTests {
  private var options: RecipeOptions {
    var options = RecipeOptions()
    options.barcodes = [
      BarcodeSection(name: "b", barcodes: [("AC", "one"), ("GN", "two"), ("TT", "one")])
    ]
    return options
  }

  @Test("by the barcode that a text is or fits; the rest goes elsewhere")
  func streams() throws {
    let recipe = try Recipe(
      segments: ["read1"],
      steps: [
        "ExtractRegion source=read1 start=0 len=2 anchor=start out_label=t",
        "Demultiplex in_label=t barcodes=b output_unmatched=true",
      ].map { try StepParser.parse($0) }, options: options)
    #expect(recipe.streams.map { $0.name } == ["no-barcode", "one", "two"])
    let batch = try recipe.makeBatch()
    try fill(batch, [["AC", "GA", "GN", "tT", "CC", "A"].map { record("r", $0) }.joined()])
    try batch.parse(endsFile: true)
    for stage in recipe.stages { _ = try stage.run(batch) }
    #expect((0..<6).map { batch.streams.start[$0] } == [1, 2, 2, 1, 0, 0])
    var output = GrowableMemory<UInt8>()
    try FASTQEncoder.encode(batch, segments: [0], stream: 2, into: &output)
    #expect(output.count == 2 * record("r", "GA").utf8.count)
  }

  @Test("two of them multiply, and Head counts each stream for itself")
  func twice() throws {
    let run = try RecipeRun(
      [
        "EvalExpression expr='len_read1 > 2' result_type=bool out_label=long",
        "EvalExpression expr='len_read1 % 2' result_type=bool out_label=odd",
        "Demultiplex in_label=long", "Demultiplex in_label=odd", "Head n=1",
      ], blocks: [[(0..<8).map { record("r", String(repeating: "A", count: $0)) }.joined()]])
    #expect(run.reads == ["r ", "r A", "r AAA", "r AAAA"])
    #expect(run.stoppedAt == nil)
    #expect(
      run.recipe.streams.filter { $0.isWritten }.map { $0.name } == [
        "long=false_odd=false", "long=false_odd=true", "long=true_odd=false", "long=true_odd=true",
      ])
  }

  @Test("no read with a barcode is an error at the end; of no reads it is none")
  func unmatched() throws {
    let steps = [
      "ExtractRegion source=read1 start=0 len=2 anchor=start out_label=t",
      "Demultiplex in_label=t barcodes=b output_unmatched=true",
    ]
    for (input, fails) in [(record("r", "CC"), true), ("", false)] {
      let run = try RecipeRun(steps, options: options, blocks: [[input]])
      #expect(errorText { try mergedEnd(run.recipe, input) }.contains("none of 1 reads") == fails)
    }
  }

  @Test("barcodes are for texts")
  func refused() {
    #expect(
      errorText {
        try RecipeRun(
          [
            "EvalExpression expr=1 result_type=bool out_label=t",
            "Demultiplex in_label=t barcodes=b",
          ],
          options: options, blocks: [])
      }.contains("is a bool tag: barcodes are for tags with a text"))
    #expect(
      BarcodeSection(name: "b", barcodes: [("AN", "x"), ("RC", "y"), ("A", "z")]).problems.map {
        $0.message
      }
        == [
          "RC = \"y\": a read can match this and AN = \"x\"",
          "A = \"z\": all barcodes need the length of AN",
        ])
  }

  private func mergedEnd(_ recipe: Recipe, _ input: String) throws {
    recipe.begin()
    let batch = try recipe.makeBatch()
    try fill(batch, [input])
    try batch.parse(endsFile: true)
    for stage in recipe.stages { _ = try stage.run(batch) }
    try recipe.mergeAtEnd(batch)
    try recipe.end()
  }
}
