// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds the run of low qualities at one end of a read.
class ExtractLowQuality: FoundRegion {
  static var keys: [StepKey] {
    [
      StepKey("min_qual", .byte(0...255)), StepKey("segment", .segment),
      StepKey("out_label", .newLabel(.location)),
    ]
  }

  private let lowest: UInt8
  private let isAtStart: Bool

  init(_ arguments: StepArguments, isAtStart: Bool) throws(WorkpoolError) {
    lowest = arguments.byte("min_qual")
    self.isAtStart = isAtStart
    try super.init(arguments)
  }

  override func region(of read: Read) -> Range<Int>? {
    let length = read.length
    var run = 0
    while run < length, read.quality[isAtStart ? run : length - 1 - run] < lowest { run &+= 1 }
    return run == 0 ? nil : isAtStart ? 0..<run : length - run..<length
  }
}
