// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Works out a formula over the tags of a read: numbers as they are, booleans as 1 and 0, others as
/// 1 where they are there; `len_…` of segments and tags; `read_no`, the number of the read at this
/// step, from 0.
final class EvalExpression: Step {
  static var description: StepDescription {
    StepDescription(
      "EvalExpression", aliases: ["EvaluateExpression"], "work out a formula over tags",
      keys: [
        StepKey("expression", aliases: ["expr"], .expression),
        StepKey("result_type", aliases: ["output_type"], .choice([["numeric"], ["bool"]])),
        StepKey("out_label", .newLabel(nil)),
      ],
      kindOfTag: { arguments in arguments.choice("result_type") == 0 ? .numeric : .bool },
      make: { arguments throws(WorkpoolError) in try EvalExpression(arguments) })
  }

  private let expression: Expression
  private let column: Int
  private let isBool: Bool
  private let countsReads: Bool
  /// Reads that came before this batch.
  private var seen = 0

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    expression = arguments.expression("expression")
    column = arguments.column("out_label")
    isBool = arguments.choice("result_type") == 1
    countsReads = expression.variables.contains(.readNumber)
    try super.init(arguments)
  }

  override var kind: StepKind { countsReads ? .serial : .parallel }
  override func begin() { seen = 0 }

  override func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    let results = batch.columns[column]
    let count = expression.names.count
    withUnsafeTemporaryAllocation(of: Double.self, capacity: count + expression.stackSize) { room in
      guard let values = room.baseAddress else { return }
      var number = countsReads ? seen : 0
      let keep = batch.keep.start
      for read in 0..<batch.count where keep[read] != 0 {
        for index in 0..<count {
          values[index] = value(expression.variables[index], batch, read, number)
        }
        number &+= 1
        let result = expression.value(values, stack: values + count)
        results.present.start[read] = 1
        results.values.start[read] = isBool ? (result.magnitude > 0x1p-52 ? 1 : 0) : result
      }
    }
    if countsReads { seen += batch.keptCount }
    return .go
  }

  private func value(
    _ variable: Expression.Variable, _ batch: FASTQBatch, _ read: Int, _ number: Int
  ) -> Double {
    switch variable {
    case .readNumber: return Double(number)
    case .lengthOfSegment(let segment):
      return Double(batch.segments[segment].records.start[read].length)
    case .lengthOfTag(let tag): return Double(batch.columns[tag.column].coverage(of: read))
    case .tag(let tag):
      let column = batch.columns[tag.column]
      guard column.present.start[read] != 0 else { return 0 }
      return tag.kind == .numeric || tag.kind == .bool ? column.values.start[read] : 1
    }
  }
}
