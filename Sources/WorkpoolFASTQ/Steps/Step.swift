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

/// What a step keeps of one batch for its `merge`.
public class StepPartial {
  init() {}
}

/// Which batches a step has to have put together, in input order.
enum StepMerging {
  case none
  /// Those that the serial mode would show it: not those behind an early stop, unless a later step
  /// sees all.
  case untilStop
  /// All of them, whatever stops behind it.
  case seesAll
}

/// Whether a step has a part in the report of a run.
enum StepReporting {
  case none
  /// And would do nothing without one.
  case alone
  case also
}

/// An action on the reads of a batch.
///
/// A parallel step is not changed while it runs. A serial step may keep what it has seen of the
/// run; `begin` makes it forget. So a recipe serves one run at a time.
///
/// What a step has to say about the whole run it finds out per batch in `apply`, on any worker, and
/// puts together in `merge`.
///
/// Threads: `apply` any for a parallel step, one at a time for a serial one.
public class Step {
  /// The catalogue's name.
  public let name: String
  /// Position in the configuration, from 1; nil for a step that the configuration does not have.
  public let number: Int?
  /// Position among the steps of its recipe.
  final var index = 0
  /// The location tags that it keeps up with where it edits.
  final let places: TagPlaces
  final let condition: TagCondition?
  /// Where the step's own files go, in the order of `files`; set before a run.
  final var writers: [StepFileWriter] = []

  init(_ arguments: StepArguments) throws(WorkpoolError) {
    name = arguments.stepName
    number = arguments.stepNumber
    places = arguments.places
    condition = arguments.condition("if_tag")
  }

  public var kind: StepKind { .parallel }
  /// Whether the step wants every batch, also those behind an early stop.
  public final var seesAll: Bool { merging == .seesAll }
  var merging: StepMerging { .none }
  /// Whether it may drop reads or change lengths.
  var changesCounts: Bool { false }

  /// Whether it asks what is known of the inputs.
  var needsInputFacts: Bool { false }
  /// Whether what it found is merged in a stage behind it, or else at the end of the pipeline.
  final var mergesInStage = false

  /// What begins the comments that it puts into names.
  var commentSeparator: UInt8? { nil }

  /// The files that it writes besides the reads.
  var files: [StepFile] { [] }
  /// The streams behind it, where those before it are `streams`.
  func streamsAfter(_ streams: [OutputStream]) -> [OutputStream] { streams }
  /// Marks the tags that it uses without a key that names them, and those that it ends.
  func useTags(_ tags: inout TagTable) {}

  /// Other files that it reads, before the run.
  var inputs: [String] { [] }

  /// Reads them.
  func prepare() throws(WorkpoolError) {}

  /// Forgets all earlier runs.
  public func begin() {}

  /// Acts on the kept reads.
  ///
  /// - Throws: the error of the first read, in input order, that does not do.
  public func apply(_ batch: FASTQBatch) throws(WorkpoolError) -> StepOutcome {
    preconditionFailure("each step has its own apply")
  }

  /// What `apply` keeps of this batch: what it kept of an earlier one that the batch carried, to be used
  /// again, or a new one.
  final func partial<Partial: StepPartial>(
    of batch: FASTQBatch, or make: @autoclosure () -> Partial
  ) -> Partial {
    if let partial = batch.partials[index] { return unsafeDowncast(partial, to: Partial.self) }
    let partial = make()
    batch.partials[index] = partial
    return partial
  }

  /// Takes what `apply` left in the batch's partial, batch by batch in input order.
  func merge(_ partial: StepPartial) throws(WorkpoolError) {
    preconditionFailure("a step that merges has its own merge")
  }

  /// Whether it keeps all reads to itself until the input has ended.
  var holdsReads: Bool { false }

  /// Fills an empty batch with the reads it kept.
  func release(into batch: FASTQBatch) throws(WorkpoolError) {
    preconditionFailure("a step that holds reads releases them")
  }

  /// After the last batch of a run that went well.
  func end() throws(WorkpoolError) {}

  var reporting: StepReporting { .none }
  /// What it is called there; no other step of a recipe may have this name.
  var reportName: String? { nil }
  /// Its part of the run's report: a name and a JSON value.
  func report() throws(WorkpoolError) -> StepReport? { nil }

  /// 1 for the reads that the step acts on: the kept ones, or those of them that its condition
  /// names. Valid until the next step.
  final func acting(_ batch: FASTQBatch) throws(WorkpoolError) -> UnsafePointer<UInt8> {
    guard let condition else { return UnsafePointer(batch.keep.start) }
    try batch.acting.resize(batch.count)
    let acting = batch.acting.start
    let keep = batch.keep.start
    let tag = batch.columns[condition.tag.column]
    let present = tag.present.start
    for read in 0..<batch.count {
      let isTrue = present[read] != 0 && (tag.kind != .bool || tag.values.start[read] != 0)
      acting[read] = isTrue != condition.isNegated ? keep[read] : 0
    }
    return UnsafePointer(acting)
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

  /// The error for a read as a whole.
  final func error(_ message: String, _ batch: FASTQBatch, read: Int) -> WorkpoolError {
    error(message, batch, read: read, segment: 0)
  }
}
