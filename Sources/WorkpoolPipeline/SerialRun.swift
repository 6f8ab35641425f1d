// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import WorkpoolCore

/// The serial reference: a plain loop, one block after the other through all stages, on the calling
/// thread. It defines what every other schedule must come to. It shares with the engine how a stage is
/// called and what its answer means; not how blocks travel, wait or retire.
extension PipelineRun {
  func runSerially() {
    let outer = wpl_thread_run()
    wpl_set_thread_run(UnsafeMutableRawPointer(address))
    var number: UInt64 = 0
    while let record = nextBlock(number) {
      carrySerially(record, number)
      number += 1
      _ = retire(record, number - 1)
    }
    flow.pointee.total.store(number, ordering: .relaxed)
    callFinish()
    decideOutcome()
    endEvents()
    wpl_set_thread_run(outer)
    conclude()
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
    let code = call(record, 0, stages, seatStage(0, 0), 0)
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
    for stage in 1..<stageCount {
      lookAtClock()
      if record.pointee.flags.contains(.isTombstone) {
        seatStage(0, stage).pointee.counts.passed.count()
      } else if isCut(number, stage) {
        seatStage(0, stage).pointee.counts.cut.count()
        bury(record, cutReason)
      } else if stages[stage].function != nil {
        let code = call(record, stage, stages + stage, seatStage(0, stage), 0)
        if code != StageReturn.ok { act(on: code, record, stage, 0) }
      }
    }
  }
}
