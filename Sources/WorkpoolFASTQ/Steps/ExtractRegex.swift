// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Finds the first match of a regular expression in a sequence or a name. The tag's text is the
/// replacement, by default the match.
final class ExtractRegex: Step {
  static var description: StepDescription {
    StepDescription(
      "ExtractRegex", "find a regular expression",
      keys: [
        StepKey("search", aliases: ["pattern", "query"], .text),
        StepKey("replacement", .text, default: .text("$0")),
        StepKey("source", aliases: ["segment"], .source(.parts(names: true))),
        StepKey("out_label", .newLabel(nil)),
      ],
      check: { arguments in
        RegularExpression.doubtfulGroup(arguments.text("replacement")).map {
          "replacement = \"" + arguments.text("replacement") + "\": $" + $0
            + " followed by a letter or _ is a name; write ${" + $0 + "}"
        }
      },
      kindOfTag: { arguments in arguments.source("source").part == .name ? .string : .location },
      make: { arguments throws(WorkpoolError) in try ExtractRegex(arguments) })
  }

  private let expression: RegularExpression
  private let segment: Int
  private let isName: Bool
  private let column: Int

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    let source = arguments.source("source")
    segment = source.segments.lowerBound
    isName = source.part == .name
    column = arguments.column("out_label")
    do throws(WorkpoolError) {
      expression = try RegularExpression(
        arguments.text("search"), replacement: arguments.text("replacement"))
    } catch {
      throw WorkpoolError(error.status, "search: " + error.message)
    }
    try super.init(arguments)
  }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let matcher = try RegularExpression.Matcher(expression)
    let tag = batch.columns[column]
    let records = batch.segments[segment].records.start
    let text = UnsafePointer(batch.segments[segment].text.bytes.start)
    for read in 0..<batch.count where batch.keep.start[read] != 0 {
      let record = records[read]
      let bytes = text + (isName ? record.name : record.sequence)
      let found = matcher.find(bytes, isName ? record.nameLength : record.length)
      guard let found else {
        throw error("search takes too long here", batch, read: read, segment: segment)
      }
      guard found else { continue }
      let place = tag.bytes.count
      try matcher.appendReplacement(bytes, to: &tag.bytes)
      tag.begin(read, isLocated: !isName)
      try tag.add(
        read,
        TagRegion(
          segment: isName ? TagRegion.nowhere : Int32(segment), start: matcher.range.lowerBound,
          length: matcher.range.count, text: place, textLength: tag.bytes.count - place))
    }
    return .go
  }
}
