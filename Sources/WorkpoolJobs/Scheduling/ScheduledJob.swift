// SPDX-License-Identifier: MIT

/// What the scheduler knows of a job.
struct ScheduledJob {
  /// To a job that waits for this one.
  struct Edge {
    let job: Int32
    let isOrderOnly: Bool
  }

  let id: String
  /// Its `id` may be empty.
  let shared: SharedSpec
  var spec: JobSpec { _read { yield shared.value } }
  let generation: UInt32
  /// Place among all that were submitted, from 1.
  let order: UInt64
  /// Index of the set it stands in while it is ready.
  var shape: Int32
  /// Bytes that it takes while it runs.
  var memory: UInt64

  var state = JobState.pending
  var reason = JobReason.none
  var detail: Int32 = 0
  var text = ""

  /// Jobs, in the order they were declared; those nobody has submitted yet are missing. Held, and empty
  /// once it is terminal.
  var needs: [Int32] = []
  /// Jobs that need this one, in the order they were submitted.
  var dependents: [Edge] = []
  /// Dependencies that it still waits for.
  var open: Int32 = 0
  var sawFailure = false
  /// Of the dependencies that had ended badly when it was submitted the one that did so first; −1: none.
  var failedNeed: Int32 = -1
  /// Some of its dependencies were not there when it was submitted.
  var awaitsUnknown = false
  /// The job in whose wake it was cancelled; −1: none. It is held for as long as this one is kept.
  var link: Int32 = -1

  var priority: Int32
  var depth: Int32 = 1
  var path: Int64 = 0
  /// How many have started past it while it was the first.
  var bypassed: Int32 = 0
  var isReady = false

  var attempt: Int32 = 0
  var slots = Resources.Slots()
  /// Holds its slots or what it borrowed, its memory and its pools.
  var isHolding = false
  /// Works on the slots of a job that waits for it.
  var borrowsSlots = false
  /// Why it shall stop.
  var stopCause = JobReason.none
  /// Its grace is over, and it was killed.
  var isKilled = false
  var wasCancelRequested = false
  /// Terminal while its function still runs.
  var isAbandoned = false
  /// Abandoned, and others may run as if it held no slots.
  var isReplaced = false
  var isChecking = false
  var isCleaningUp = false

  /// In the time of the inputs; 0: not yet.
  var submitTime: Int64
  var readyTime: Int64 = 0
  var firstReadyTime: Int64 = 0
  var firstStartTime: Int64 = 0
  var startTime: Int64 = 0
  var stopTime: Int64 = 0
  var retryTime: Int64 = 0
  var endTime: Int64 = 0
  /// `seq` of its terminal event.
  var endSeq: UInt64 = 0

  var lastAttempt = JobAttempt()
  var earlierAttempts: [JobAttempt] = []

  /// Reasons to keep it: jobs that link to it or wait for it, threads that wait.
  var holds: Int32 = 0
  /// Nobody will ask for it any more; it goes when nobody holds it.
  var isReleased = false
}
