// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct RecipeTests {
  private func problems(
    _ steps: [String], segments: [String] = ["read1"], isInterleaved: Bool = false
  ) -> [String] {
    do {
      _ = try Recipe(
        segments: segments, isInterleaved: isInterleaved,
        steps: steps.map { try StepParser.parse($0) })
      return []
    } catch let error as RecipeError {
      return error.problems.map { $0.text }
    } catch {
      return ["\(error)"]
    }
  }

  @Test(
    "what is wrong with a step is said with key, value and what is allowed",
    arguments: [
      ("Trunkate n=1", "there is no such step; nearest: \"Truncate\""),
      ("Frobnicate", "there is no such step"),
      ("Truncate", "n is missing: integer from 0"),
      ("Truncate n=-1", "n = -1 is not what is needed: integer from 0"),
      ("CutEnd n=0", "n = 0 is not what is needed: integer from 1"),
      ("Truncate n=1.5", "n = 1.5 is not what is needed: integer from 0"),
      ("Truncate n=x", "n = \"x\" is not what is needed: integer from 0"),
      ("Truncate n=true", "n = true is not what is needed: integer from 0"),
      ("Truncate n=[1]", "n = [1] is not what is needed: integer from 0"),
      ("Truncate n=1 N=2", "n is given twice"),
      ("Truncate n=1 if_tag=x", "if_tag = \"x\" is unknown; no step before has made a tag"),
      ("Skip n=1 if_tag=x", "unknown key if_tag; keys are n"),
      ("Truncate n=1 segmnet=read1", "unknown key segmnet; nearest: \"segment\""),
      (
        "Truncate n=1 segment=raed1",
        "segment = \"raed1\" is no segment; segments are read1; nearest: \"read1\""
      ),
      (
        "Truncate n=1 segment=all",
        "segment = \"all\" is not possible here: one segment is needed; segments are read1"
      ),
      (
        "Truncate n=1 segment=READ1",
        "segment = \"READ1\" is no segment; segments are read1; nearest: \"read1\""
      ),
      (
        "CalcQualifiedBases threshold=256 op=lt out_label=x",
        "threshold = 256 is not what is needed: integer from 0 to 255 or string of one byte"
      ),
      (
        "CalcQualifiedBases threshold=\u{e9} op=lt out_label=x",
        "threshold = \"\u{e9}\" is not what is needed: integer from 0 to 255 or string of one byte"
      ),
    ])
  func stepProblems(step: String, message: String) {
    let name = StepCatalogue.step(named: String(step.split(separator: " ")[0]))?.name
    let found = problems([step])
    #expect(found.first == "step 1 (\(name ?? String(step.split(separator: " ")[0]))): " + message)
  }

  @Test("all problems are collected, in the order of the steps, with their origin")
  func collected() {
    let requests = [
      StepRequest("Head", origin: "p.toml:3"), StepRequest("Nothing", origin: "p.toml:6"),
      StepRequest(
        "CutStart", [StepParameter("n", .int(0)), StepParameter("x", .int(1))], origin: "p.toml:9"),
    ]
    #expect(
      errorText { try Recipe(segments: ["a", "a", "1x", "All", "_internal_y"], steps: requests) }
        == """
        segment "a" is there twice
        segment "1x": a name is letters, digits and _, and no digit first
        segment "All": the name is reserved
        segment "_internal_y": the name is reserved
        p.toml:3: step 1 (Head): n is missing: integer from 0
        p.toml:6: step 2 (Nothing): there is no such step
        p.toml:9: step 3 (CutStart): unknown key x; keys are n, segment, if_tag
        p.toml:9: step 3 (CutStart): n = 0 is not what is needed: integer from 1
        p.toml:9: step 3 (CutStart): segment is missing; segments are 1x, All, _internal_y, a, a
        """)
  }

  @Test(
    "labels are made once, before use, and are used",
    arguments: [
      (["CalcLength out_label=x"], ["step 1 (CalcLength): no step uses the tag \"x\""]),
      (
        [
          "FilterByNumericTag in_label=x min_value=1 keep_or_remove=keep", "CalcLength out_label=x",
        ],
        [
          "step 1 (FilterByNumericTag): in_label = \"x\" is unknown; no step before has made a tag",
          "step 2 (CalcLength): no step uses the tag \"x\"",
        ]
      ),
      (
        [
          "CalcLength out_label=x", "CalcLength out_label=x",
          "FilterByNumericTag in_label=x min_value=1 keep_or_remove=keep",
        ],
        [
          "step 2 (CalcLength): out_label = \"x\" is not possible: the label was made before, by "
            + "step 1 (CalcLength)"
        ]
      ),
    ])
  func labels(steps: [String], expected: [String]) {
    #expect(problems(steps) == expected)
  }

  @Test(
    "labels have the form of names and are not reserved",
    arguments: ["1x", "a-b", "", "ReadName", "read_no", "len_x", "read1"])
  func labelNames(label: String) {
    let found = problems([
      "CalcLength out_label='\(label)'",
      "FilterByNumericTag in_label='\(label)' min_value=1 keep_or_remove=keep",
    ])
    #expect(found.count == 1)
    #expect(
      found.first?.hasPrefix("step 1 (CalcLength): out_label = \"\(label)\" is not possible")
        == true)
  }

  @Test("segments are ordered by name, interleaved ones stay as listed")
  func order() throws {
    #expect(
      try Recipe(segments: ["read2", "index1", "Read1"], steps: []).segments == [
        "Read1", "index1", "read2",
      ])
    #expect(
      try Recipe(segments: ["read2", "index1"], isInterleaved: true, steps: []).segments
        == ["read2", "index1"])
    #expect(problems([], segments: []) == ["there is no segment"])
    #expect(problems([], isInterleaved: true) == ["interleaved input needs at least two segments"])
  }

  @Test("several segments are compared by name first, unless a step or the options say otherwise")
  func pairing() throws {
    func names(
      _ steps: [String], segments: [String] = ["a", "b"], _ options: RecipeOptions = RecipeOptions()
    ) throws -> [String] {
      try Recipe(
        segments: segments, steps: steps.map { try StepParser.parse($0) }, options: options
      )
      .steps.map { $0.name }
    }
    #expect(try names(["Head n=1"]) == ["ValidateReadPairing", "Head"])
    #expect(try names(["Head n=1"], segments: ["a"]) == ["Head"])
    #expect(try names(["Head n=1", "validate_name"]) == ["Head", "ValidateName"])
    #expect(try names(["SpotCheckReadNames"]) == ["ValidateReadPairing"])
    var options = RecipeOptions()
    options.checksPairing = false
    #expect(try names(["Head n=1"], options) == ["Head"])
    #expect(
      errorText {
        try RecipeRun([], segments: ["a", "b"], blocks: [[record("x", ""), record("yz", "")]])
      }
        == "ValidateReadPairing: record 1: read yz: the name has another length, x in the first "
        + "segment")
  }

  @Test("steps of the same recipe see the segments in its order, whatever order they came in")
  func segmentIndex() throws {
    let run = try RecipeRun(
      ["Truncate n=1 segment=b", "Truncate n=2 segment=a"], segments: ["b", "a"],
      blocks: [[records(0..<1), records(0..<1)]])
    #expect(run.outputs == [record("r0", "AC"), record("r0", "A")])
  }
}
