// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Changes the case of the 26 letters from `first` on.
class ChangeCase: Step {
  static var keys: [StepKey] {
    [
      StepKey(
        "target", aliases: ["segment", "source"],
        .source(.parts(all: true, names: true, tags: [.location, .string]))),
      .condition,
    ]
  }

  private let target: StepSource
  private let first: UInt8
  private let commentCharacter: UInt8

  init(_ arguments: StepArguments, first: UInt8) throws(WorkpoolError) {
    target = arguments.source("target")
    commentCharacter = arguments.commentCharacter
    self.first = first
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    if case .tag(let tag) = target.part {
      change(batch.columns[tag.column], batch.count)
      return .go
    }
    let acting = try acting(batch)
    for segment in target.segments {
      let records = batch.segments[segment].records.start
      let text = batch.segments[segment].text.bytes.start
      for read in 0..<batch.count where acting[read] != 0 {
        let record = records[read]
        switch target.part {
        case .sequence: change(text + record.sequence, record.length)
        case .tag: break
        case .name: change(text + record.name, nameSize(text + record.name, record.nameLength))
        }
      }
    }
    return .go
  }

  /// The copies of the sequence; texts without a place stay.
  private func change(_ tag: TagColumn, _ count: Int) {
    guard tag.kind == .location else { return }
    for read in 0..<count where tag.present.start[read] != 0 {
      for region in tag.regions(of: read) where region.segment != TagRegion.nowhere {
        change(tag.bytes.start + region.text, region.textLength)
      }
    }
  }

  private func nameSize(_ name: UnsafePointer<UInt8>, _ size: Int) -> Int {
    memchr(name, Int32(commentCharacter), size)
      .map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) - name } ?? size
  }

  @inline(__always)
  private func change(_ bytes: UnsafeMutablePointer<UInt8>, _ size: Int) {
    let first = first
    for index in 0..<size {
      let byte = bytes[index]
      bytes[index] = byte &- first < 26 ? byte ^ 32 : byte
    }
  }
}
