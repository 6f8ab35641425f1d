// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ExtractRegionsTests {
  private func value(_ regions: String, _ sequence: String, _ name: String = "r1") throws -> String
  {
    let run = try RecipeRun(
      ["ExtractRegion out_label=t " + regions, "StoreTagInComment in_label=t"],
      blocks: [[record(name, sequence)]])
    return String(
      run.reads[0].split(separator: " ")[0].split(separator: "=", omittingEmptySubsequences: false)[
        1])
  }

  @Test("counted from either end; what does not fit is missing")
  func regions() throws {
    #expect(try value("source=read1 start=1 len=2 anchor=start", "ACGT") == "CG")
    #expect(try value("source=read1 start=-3 length=2 anchor=end", "ACGT") == "CG")
    #expect(try value("source=read1 start=3 len=2 anchor=left", "ACGT") == "")
    #expect(try value("source=read1 start=-1 len=1 anchor=left", "ACGT") == "")
    #expect(try value("source=read1 start=0 len=1 anchor=right", "ACGT") == "")
    #expect(
      try value(
        "source=read1 start=-9223372036854775807 len=9223372036854775807 anchor=left", "ACGT") == ""
    )
    #expect(try value("source=name: start=0 len=2 anchor=left", "ACGT") == "r1")
  }

  @Test("from a location the region may reach into the rest of the read")
  func fromTag() throws {
    let run = try RecipeRun(
      [
        "ExtractIUPAC search=CG anchor=anywhere max_mismatches=0 out_label=a",
        "ExtractRegion source=tag:a start=0 len=2 anchor=end out_label=b",
        "ExtractRegion source=tag:a start=-1 len=2 anchor=start out_label=c",
        "StoreTagInComment in_label=b", "StoreTagLocationInComment in_label=c",
      ], blocks: [[record("r", "ACGTT") + record("s", "AACG")]])
    #expect(
      run.reads == [
        "r|b=TT|c_location=read1:0-2 ACGTT", "s|b=|c_location=read1:1-3 AACG",
      ])
  }

  @Test("several regions are one tag, joined, and no place to cut at")
  func several() throws {
    let steps = [
      StepRequest(
        "ExtractRegions",
        [
          StepParameter("out_label", .text("t")),
          StepParameter(
            "regions",
            .list(
              [0, 3].map { start in
                .table([
                  StepParameter("source", .text("read1")), StepParameter("start", .int(start)),
                  StepParameter("Len", .int(2)), StepParameter("anchor", .text("Start")),
                ])
              })),
        ])
    ]
    let recipe = try Recipe(
      segments: ["read1"],
      steps: steps + [StepParser.parse("StoreTagInComment in_label=t region_separator=-")])
    let run = try RecipeRun([], blocks: [[record("r", "ACGTA") + record("s", "ACGT")]], of: recipe)
    #expect(run.reads == ["r|t=AC-TA ACGTA", "s|t= ACGT"])
    #expect(
      errorText {
        try Recipe(
          segments: ["read1"],
          steps: steps + [StepParser.parse("TrimAtTag in_label=t direction=end keep_tag=true")])
      }.contains("in_label = \"t\" is made of several regions"))
  }
}
