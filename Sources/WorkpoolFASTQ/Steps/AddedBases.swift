// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Puts a sequence with its qualities at one end of reads.
class AddedBases: Step {
  static var keys: [StepKey] {
    [
      StepKey("seq", .letters(.dnaOrN)), StepKey("qual", .text), StepKey("segment", .segment),
      StepKey("encoding", .choice(QualityEncoding.names), default: .text("sanger")), .condition,
    ]
  }

  static func check(_ arguments: StepArguments) -> String? {
    let encoding = QualityEncoding(arguments.choice("encoding"))
    let qualities = arguments.text("qual")
    let bases = arguments.text("seq")
    if qualities.utf8.count != bases.utf8.count {
      return "qual = \"" + qualities + "\" has another length than seq = \"" + bases + "\""
    }
    guard let wrong = qualities.utf8.first(where: { !encoding.range.contains($0) }) else {
      return nil
    }
    return "qual = \"" + qualities + "\": " + visibleByte(wrong) + " is outside "
      + encoding.rangeText + " of " + encoding.name
  }

  private let segment: Int
  private let bases: [UInt8]
  private let qualities: [UInt8]
  private let isAtStart: Bool

  init(_ arguments: StepArguments, isAtStart: Bool) throws(WorkpoolError) {
    segment = arguments.segment("segment")
    bases = Array(arguments.text("seq").utf8)
    qualities = Array(arguments.text("qual").utf8)
    self.isAtStart = isAtStart
    try super.init(arguments)
  }

  override var changesCounts: Bool { true }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let acting = try acting(batch)
    let records = batch.segments[segment].records.start
    let text = batch.segments[segment].text
    for read in 0..<batch.count where acting[read] != 0 {
      let record = records[read]
      let length = record.length + bases.count
      let place = try text.makeRoom(2 * length)
      put(text.bytes.start, record.sequence, record.length, bases, at: place)
      put(text.bytes.start, record.quality, record.length, qualities, at: place + length)
      records[read].sequence = place
      records[read].quality = place + length
      records[read].length = length
      if isAtStart && !places.isEmpty { places.shift(batch, read, segment, by: bases.count) }
    }
    return .go
  }

  private func put(
    _ text: UnsafeMutablePointer<UInt8>, _ old: Int, _ size: Int, _ new: [UInt8], at place: Int
  ) {
    let target = text + place
    memcpy(target + (isAtStart ? new.count : 0), text + old, size)
    new.withUnsafeBufferPointer { new in
      if let start = new.baseAddress { memcpy(target + (isAtStart ? 0 : size), start, new.count) }
    }
  }
}
