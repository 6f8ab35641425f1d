// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Synchronization
import Workpool

func text(
  _ pointer: UnsafePointer<CChar>?, _ what: StaticString
) throws(WorkpoolError) -> String {
  guard let pointer else { throw invalid("a \(what) is NULL") }
  return String(cString: pointer)
}

func texts(
  _ pointer: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int, _ what: StaticString
) throws(WorkpoolError) -> [String] {
  guard let pointer, 1...1_000_000 ~= count else { throw invalid("there are no \(what)") }
  var texts: [String] = []
  for index in 0..<count { texts.append(try text(pointer[index], what)) }
  return texts
}

func runOptions(
  _ pointer: UnsafePointer<wp_run_options>?, workers: Int
) throws(WorkpoolError) -> RecipeDraft.Options {
  let given = try read(pointer, wp_run_options())
  try checkFlags(given.flags, known: WP_RUN_SERIAL_REFERENCE | WP_RUN_OVERWRITE)
  guard given.has_level < 2, given.records_per_block <= 1 << 40 else {
    throw invalid("a field of the run options is out of range")
  }
  var options = RecipeDraft.Options()
  if given.records_per_block > 0 { options.recordsPerBlock = Int(given.records_per_block) }
  options.compression = try compression(given.compression)
  options.level = given.has_level == 1 ? Int(given.level) : nil
  options.allowsOverwrite = given.flags & WP_RUN_OVERWRITE != 0
  options.pipeline.isSerialReference = given.flags & WP_RUN_SERIAL_REFERENCE != 0
  options.pipeline.maxBlocksInFlight =
    given.max_blocks_in_flight == 0 ? min(100, 4 * workers + 4) : Int(given.max_blocks_in_flight)
  options.pipeline.token = try checkedToken(given.token)
  if let progress = given.progress {
    let context = given.progress_context
    options.progress = { progress(context, $0.reads, $0.decodedBytes) }
    if given.progress_ns > 0 { options.progressNanoseconds = given.progress_ns }
  }
  return options
}

/// What the catalogue says of a step, as C text that stays for ever.
struct StepTexts: @unchecked Sendable {
  let name, summary, keys: UnsafePointer<CChar>

  /// nil for an index that is not there. Made at the first call, by whoever comes first.
  static func of(_ index: Int) -> StepTexts? {
    let steps = StepCatalogue.steps
    guard steps.indices.contains(index) else { return nil }
    return all[index]
  }

  // The memory is never written again nor freed.
  private static let all: [StepTexts] = StepCatalogue.steps.map { step in
    var keys = ""
    for key in step.keys {
      keys += (keys.isEmpty ? "" : ", ") + key.name + ": " + key.type.text
    }
    return StepTexts(name: keep(step.name), summary: keep(step.summary), keys: keep(keys))
  }

  private static func keep(_ text: String) -> UnsafePointer<CChar> {
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.utf8.count + 1)
    for (index, byte) in text.utf8.enumerated() { copy[index] = CChar(bitPattern: byte) }
    copy[text.utf8.count] = 0
    return UnsafePointer(copy)
  }
}
