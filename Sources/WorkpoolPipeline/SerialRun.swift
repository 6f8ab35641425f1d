// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// The serial reference: a plain loop, one block after the other through all stages, on the calling
/// thread. It defines what every other schedule must come to. It shares with the engine how a stage is
/// called and what its answer means; not how blocks travel, wait or retire.
extension PipelineRun {
  func runSerially() {
    StackFrame.with(group: group) { address.pointee.runOnThisThread() }
    lastSegment.pointee.conclude()
  }

  private func runOnThisThread() {
    var number: UInt64 = 0
    while let record = nextBlock(number) {
      carrySerially(record, number)
      number += 1
    }
    flow.pointee.total.store(number, ordering: .relaxed)
    endSerially()
    let lastSegment = lastSegment
    lastSegment.pointee.callFinish()
    lastSegment.pointee.decideOutcome()
    endEvents()
  }

  /// The next block from the source; nil when the input has ended.
  private func nextBlock(_ number: UInt64) -> UnsafeMutablePointer<Record>? {
    lookAtClock()
    if isCut(number, 0) || flow.pointee.baton.load(ordering: .relaxed) == Baton.ended {
      return nil
    }
    if flow.pointee.isStopping.load(ordering: .relaxed) {
      flow.pointee.wasStopped.store(true, ordering: .relaxed)
      return nil
    }
    let record = record(number)
    prepare(record, number)
    let code = call(record, number, 0, stages, seatStage(0, 0), 0)
    if code == StageReturn.sourceEnd {
      release(record, .cut)
      return nil
    }
    source.pointee.issuedSnapshot.store(number + 1, ordering: .relaxed)
    noteInFlight(1)
    if code != StageReturn.ok { act(on: code, record, 0, 0) }
    if code < 0 || code > StageReturn.stopDrop {
      flow.pointee.baton.store(Baton.ended, ordering: .relaxed)
    }
    return record
  }

  private func carrySerially(_ record: UnsafeMutablePointer<Record>, _ number: UInt64) {
    for stage in 1..<(next == nil ? stageCount : last) {
      first.pointee.lookAtClock()
      if record.pointee.flags.contains(.isTombstone) {
        seatStage(0, stage).pointee.counts.passed.count()
      } else if isCut(number, stage) {
        seatStage(0, stage).pointee.counts.cut.count()
        bury(record, cutReason)
      } else if stages[stage].function != nil {
        let own = seatStage(0, stage)
        if let blocks = own.pointee.call.blocks {
          blocks[0] = UnsafeMutableRawPointer(record).assumingMemoryBound(to: Block.self)
          own.pointee.call.count = 1
        }
        let code = call(record, number, stage, stages + stage, own, 0)
        if code != StageReturn.ok { act(on: code, record, stage, 0) }
      }
    }
    splitSerially(record)
    _ = retire(record, number)
  }

  /// Every block that the splitter behind this segment makes goes all the way before the next one is made.
  private func splitSerially(_ input: UnsafeMutablePointer<Record>) {
    guard let next, beginSplit(input, 0) else { return }
    var goesOn = true
    while goesOn && next.pointee.wantsMore(from: input) {
      let step = next.pointee.makeOutput(from: input, 0)
      goesOn = step.goesOn
      if let output = step.output {
        next.pointee.carrySerially(output, output.pointee.block.number)
      }
    }
    endSplit(input)
  }

  /// All blocks have left this segment: the splitter gives what it has kept, and the next one ends.
  private func endSerially() {
    takeInputStop()
    guard let next else { return }
    splitSerially(makeEnd())
    passStop(to: next)
    next.pointee.flow.pointee.total.store(
      next.pointee.source.pointee.issued, ordering: .relaxed)
    next.pointee.endSerially()
  }
}
