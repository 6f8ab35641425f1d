// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Fails where two reads of a run differ in length: of one segment, of all together, of a name up to the
/// comment character, or of a tag's value; reads without the tag do not count.
final class ValidateAllReadsSameLength: Step {
  static var description: StepDescription {
    StepDescription(
      "ValidateAllReadsSameLength", "fail where reads differ in length",
      keys: [
        StepKey(
          "source", aliases: ["segment"],
          .source(.parts(all: true, names: true, tags: [.location, .string])))
      ],
      make: { arguments throws(WorkpoolError) in try ValidateAllReadsSameLength(arguments) })
  }

  private final class Found: StepPartial {
    var first: Int?
    var other: Int?
    var firstPlace = ""
    var otherPlace = ""
    var path: String?
  }

  private let source: StepSource
  private let sourceText: String
  private let commentCharacter: UInt8
  private var length: Int?

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    source = arguments.source("source")
    commentCharacter = arguments.commentCharacter
    let names = arguments.surroundings.segments
    let segments =
      source.segments.count == names.count && names.count > 1
      ? "all" : names[source.segments.lowerBound]
    sourceText =
      switch source.part {
      case .sequence: segments
      case .name: "name:" + segments
      case .tag(let tag): "tag:" + tag.label
      }
    try super.init(arguments)
  }

  override var merging: StepMerging { .untilStop }
  override func begin() { length = nil }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let found = partial(of: batch, or: Found())
    found.first = nil
    found.other = nil
    let keep = batch.keep.start
    for read in 0..<batch.count where keep[read] != 0 {
      guard let length = length(batch, read) else { continue }
      if found.first == nil {
        found.first = length
        found.firstPlace =
          title + ": " + batch.place(read: read, segment: source.segments.lowerBound)
        found.path = batch.segments[source.segments.lowerBound].text.origin.path
      } else if length != found.first {
        found.other = length
        found.otherPlace =
          title + ": " + batch.place(read: read, segment: source.segments.lowerBound)
        break
      }
    }
    return .go
  }

  override func merge(_ partial: StepPartial) throws(WorkpoolError) {
    let found = unsafeDowncast(partial, to: Found.self)
    guard let first = found.first else { return }
    let known = length ?? first
    length = known
    guard let other = first != known ? first : found.other else { return }
    throw WorkpoolError(
      .malformedRecord,
      "the length of \"" + sourceText + "\" is " + String(other) + ", but " + String(known)
        + " in reads before", path: found.path,
      place: first != known ? found.firstPlace : found.otherPlace)
  }

  private func length(_ batch: FASTQBatch, _ read: Int) -> Int? {
    if case .tag(let tag) = source.part {
      let column = batch.columns[tag.column]
      return column.present.start[read] == 0 ? nil : column.coverage(of: read)
    }
    var length = 0
    for segment in source.segments {
      let record = batch.segments[segment].records.start[read]
      if source.part == .sequence {
        length += record.length
      } else {
        length += record.briefNameLength(
          batch.segments[segment].text.bytes.start, end: commentCharacter)
      }
    }
    return length
  }
}

extension FASTQRecord {
  /// Bytes of the name up to the first comment character.
  func briefNameLength(_ text: UnsafePointer<UInt8>, end: UInt8) -> Int {
    memchr(text + name, Int32(end), nameLength)
      .map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) - (text + name) } ?? nameLength
  }
}
