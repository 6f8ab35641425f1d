// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ValidateReadPairingTests {
  private func check(_ first: [String], _ second: [String], stride: Int = 1, blockSize: Int = 3)
    -> String
  {
    errorText {
      try RecipeRun(
        ["ValidateReadPairing sample_stride=\(stride)"], segments: ["read1", "read2"],
        blocks: Swift.stride(from: 0, to: first.count, by: blockSize).map { start in
          let part = start..<min(start + blockSize, first.count)
          return [
            part.map { record(first[$0], "A") }.joined(),
            part.map { record(second[$0], "A") }.joined(),
          ]
        })
    }
  }

  @Test("one letter may differ, the length may not")
  func compares() {
    #expect(check(["a/1", "b 1:N:0", "c"], ["a/2", "b 2:N:0", "c"]) == "no error")
    #expect(
      check(["a", "bcd"], ["a", "bxy"])
        == "step 1 (ValidateReadPairing): record 2: read bxy: the name differs in 2 letters, bcd "
        + "in the first segment")
    #expect(check(["a"], ["ab"]).contains("record 1: read ab: the name has another length"))
  }

  @Test(
    "reads 0, stride, 2 stride, … are looked at, whatever the blocks",
    arguments: [1, 2, 3, 5, 100])
  func strides(blockSize: Int) {
    for stride in 1...7 {
      for wrong in 0..<15 {
        let first = (0..<15).map { "r\($0)" }
        var second = first
        second[wrong] = "another"
        let text = check(first, second, stride: stride, blockSize: blockSize)
        #expect((text == "no error") == (wrong % stride != 0), "stride \(stride), read \(wrong)")
      }
    }
  }

  @Test("a stride of 0 and a single segment are refused")
  func refused() {
    #expect(check([], [], stride: 0).contains("sample_stride = 0 is not what is needed"))
    #expect(
      errorText { try RecipeRun("SpotCheckReadNames", "") }
        == "step 1 (ValidateReadPairing): at least 2 segments are needed")
  }
}
