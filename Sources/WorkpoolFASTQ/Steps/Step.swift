// SPDX-License-Identifier: MIT
import WorkpoolCore

/// In which kind of stage a step may run.
public enum StepKind: Equatable, Sendable {
  /// Any number of batches at once, in any order.
  case parallel
  /// One batch at a time, in input order.
  case serial
}

public enum StepOutcome: Equatable, Sendable {
  case go
  /// No later batch is needed; this one goes on and is the last.
  case stop
}

/// An action on the reads of a batch.
///
/// A parallel step is not changed while it runs. A serial step may keep what it has seen of the
/// run; `begin` makes it forget. So a recipe serves one run at a time.
///
/// Threads: `apply` any for a parallel step, one at a time for a serial one.
public class Step {
  /// The catalogue's name.
  public let name: String
  /// Position in the configuration, from 1; nil for a step that the configuration does not have.
  public let number: Int?

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    name = arguments.stepName
    number = arguments.stepNumber
  }

  public var kind: StepKind { .parallel }
  /// Whether the step wants every batch, also those behind an early stop.
  public var seesAll: Bool { false }
  /// Whether it may drop reads or change lengths.
  var changesCounts: Bool { false }

  /// Forgets all earlier runs.
  public func begin() {}

  /// Acts on the kept reads.
  ///
  /// - Throws: the error of the first read, in input order, that does not do.
  public func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    preconditionFailure("each step has its own apply")
  }

  /// `step 2 (ValidateSeq)`
  final var title: String {
    number.map { "step " + String($0) + " (" + name + ")" } ?? name
  }

  /// The error for one record: `step 2 (ValidateSeq): record 118: read r117: …`.
  final func error(
    _ message: String, _ batch: FASTQBatch, read: Int, segment: Int
  ) -> WorkpoolError {
    WorkpoolError(
      .malformedRecord, message, path: batch.segments[segment].text.origin.path,
      place: title + ": " + batch.place(read: read, segment: segment))
  }
}
