// SPDX-License-Identifier: MIT
import WorkpoolCore
import WorkpoolIO
import WorkpoolPipeline

/// What is done to one block beside the steps, on any worker.
struct BlockWork {
  let plan: ProcessPlan
  let blocks: ProcessBlockPool
  let facts: InputSizes

  /// Whether anything looks at records.
  var parses: Bool {
    switch plan.content {
    case .records: true
    case .blocks(_, let recipe): recipe?.steps.isEmpty == false
    }
  }

  func parse(_ block: ProcessBlock) throws(WorkpoolError) {
    switch plan.content {
    case .records:
      // A block inside a file holds whole records only, so it may be read as if it ended one.
      try block.batch.parse(endsFile: true)
    case .blocks(let splitter, _):
      try block.batch.parse(splitter: splitter)
    }
    block.basesIn = block.batch.keptBases
    if plan.recipe?.needsInputFacts == true {
      block.batch.facts = facts.of(block.batch)
    }
  }

  /// Makes the bytes of each output of what the steps have left; the text of the reads is given back.
  func encode(_ block: ProcessBlock) throws(WorkpoolError) {
    for (output, planned) in zip(block.outputs, plan.outputs) {
      switch plan.content {
      case .records:
        blocks.take(&output.bytes)
        output.bytes.count = 0
        if planned.format == .fasta {
          try FASTAEncoder.encode(
            block.batch, segments: planned.segments, stream: planned.stream, into: &output.bytes)
        } else {
          try FASTQEncoder.encode(
            block.batch, segments: planned.segments, stream: planned.stream, into: &output.bytes)
        }
      case .blocks(let splitter, _):
        if parses {
          blocks.take(&output.bytes)
          output.bytes.count = 0
          try block.batch.encodeUnits(into: &output.bytes, delimiter: splitter.delimiter)
        } else {
          let text = block.batch.segments[0].text.bytes.giveAway()
          output.bytes.adopt(text.memory, count: text.count, capacity: text.capacity)
        }
      }
    }
    block.basesOut = block.batch.keptBases
    for segment in block.batch.segments { blocks.give(&segment.text.bytes) }
  }

  /// An external program turns the bytes of the only output into others.
  func run(
    _ command: BlockCommand, _ block: ProcessBlock, _ context: StageContext
  ) throws(WorkpoolError) {
    let output = block.outputs[0]
    let result = OutputText()
    blocks.take(&result.bytes)
    try command.run(
      on: output.part, into: &result.bytes,
      at: BlockCommand.Place(block: block.number, recordsBefore: block.batch.firstRead),
      isCancelled: { !context.isWanted })
    blocks.give(&output.bytes)
    let made = result.bytes.giveAway()
    output.bytes.adopt(made.memory, count: made.count, capacity: made.capacity)
  }
}
