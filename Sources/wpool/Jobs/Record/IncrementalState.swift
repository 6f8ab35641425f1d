// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool
import WorkpoolCore

/// Which jobs need not run, since nothing they depend on has changed: `.wpool/state.jsonl`.
///
/// Each line is sealed as a journal's are, and the last one of a job counts. When a job begins, a line
/// says that its outputs are incomplete; only its success takes that back. Several runs append at once,
/// each line under the file's lock.
final class IncrementalState {
  struct Verdict {
    var isUpToDate: Bool
    var reason: String
    var values: [JSONValue.Member] = []
  }

  private struct InputFile: Equatable {
    var path: String
    var size: Int
    var time: Int
    /// Empty: not a file, or unread.
    var hash: String
  }

  private struct Entry {
    var hash = ""
    var isComplete = false
    var inputs: [InputFile] = []
    var values: [JSONValue.Member] = []
  }

  private static let path = ".wpool/state.jsonl"
  private var entries: [String: Entry] = [:]
  /// What was there when a job began.
  private var atStart: [Int: [InputFile]] = [:]

  static func concerns(_ job: PlannedJob) -> Bool { !(job.inputs.isEmpty && job.outputs.isEmpty) }

  /// - Parameter reads: nothing is written, not even a folder.
  init(_ plan: JobPlan, onlyReads: Bool = false) throws(Failure) {
    if !onlyReads && mkdir(".wpool", 0o777) != 0 && errno != EEXIST {
      throw Failure(
        exitCode: .program, messages: [".wpool: cannot create: " + String(cString: strerror(errno))]
      )
    }
    guard access(Self.path, F_OK) == 0 else { return }
    do throws(WorkpoolError) {
      let lines = JournalLine.read(try WholeFile.readAny(Self.path))
      for line in lines { take(line) }
      if !onlyReads && lines.count > 100 + 3 * entries.count { try compact() }
    } catch {
      throw Failure(exitCode: .program, messages: [error.text])
    }
  }

  private func key(_ job: PlannedJob, _ plan: JobPlan) -> String { plan.base + "\n" + job.id }

  private func take(_ line: JSONValue) {
    guard line["schema"]?.int == 1, let key = line["key"]?.text else { return }
    var entry = Entry()
    entry.hash = line["hash"]?.text ?? ""
    entry.isComplete = line["complete"]?.bool ?? false
    for input in line["inputs"]?.list ?? [] {
      guard let parts = input.list, parts.count == 4, let path = parts[0].text,
        let size = parts[1].int, let time = parts[2].int, let hash = parts[3].text
      else { return }
      entry.inputs.append(InputFile(path: path, size: size, time: time, hash: hash))
    }
    if case .object(let members)? = line["values"] { entry.values = members }
    if !entry.isComplete, let known = entries[key] { entry.inputs = known.inputs }
    entries[key] = entry
  }

  // MARK: Questions

  func verdict(_ place: Int, _ plan: JobPlan, hash: String) -> Verdict {
    let job = plan.jobs[place]
    guard let entry = entries[key(job, plan)] else {
      return Verdict(isUpToDate: false, reason: "runs: it has no success on record")
    }
    guard entry.isComplete else {
      return Verdict(isUpToDate: false, reason: "runs: its last attempt did not complete")
    }
    guard entry.hash == hash else {
      return Verdict(isUpToDate: false, reason: "runs: its definition has changed")
    }
    for output in job.outputs {
      let isThere =
        Paths.isPattern(output)
        ? !Paths.matching(output, base: plan.base).isEmpty
        : access(Paths.absolute(output, base: plan.base), F_OK) == 0
      if !isThere {
        return Verdict(isUpToDate: false, reason: "runs: output \(output) is not there")
      }
    }
    let now = Self.inputs(of: job, plan)
    let (old, new) = (Set(entry.inputs.map { $0.path }), Set(now.map { $0.path }))
    if let path = new.subtracting(old).sorted().first {
      return Verdict(isUpToDate: false, reason: "runs: input \(path) is new")
    }
    if let path = old.subtracting(new).sorted().first {
      return Verdict(isUpToDate: false, reason: "runs: input \(path) is gone")
    }
    for input in now {
      guard let past = entry.inputs.first(where: { $0.path == input.path }) else { continue }
      if past.size == input.size && past.time == input.time { continue }
      let isSame =
        past.size == input.size && !past.hash.isEmpty
        && Self.contentHash(input.path, base: plan.base) == past.hash
      if !isSame {
        return Verdict(isUpToDate: false, reason: "runs: input \(input.path) has changed")
      }
    }
    return Verdict(isUpToDate: true, reason: "is up to date", values: entry.values)
  }

  // MARK: What happens

  func begins(_ place: Int, _ plan: JobPlan) throws(WorkpoolError) {
    let job = plan.jobs[place]
    let key = key(job, plan)
    var inputs = Self.inputs(of: job, plan)
    for index in inputs.indices {
      // What was read before and looks the same is not read again.
      let past = entries[key]?.inputs.first { $0.path == inputs[index].path }
      if let past, past.size == inputs[index].size, past.time == inputs[index].time {
        inputs[index].hash = past.hash
      } else {
        inputs[index].hash = Self.contentHash(inputs[index].path, base: plan.base)
      }
    }
    atStart[place] = inputs
    entries[key]?.isComplete = false
    try append([
      .init("schema", .int(1)), .init("key", .text(key)), .init("complete", .bool(false)),
    ])
  }

  func succeeded(
    _ place: Int, _ plan: JobPlan, hash: String, values: [JSONValue.Member]
  ) throws(WorkpoolError) {
    let key = key(plan.jobs[place], plan)
    let entry = Entry(
      hash: hash, isComplete: true, inputs: atStart.removeValue(forKey: place) ?? [], values: values
    )
    entries[key] = entry
    try append(Self.members(key, entry))
  }

  private static func members(_ key: String, _ entry: Entry) -> [JSONValue.Member] {
    [
      .init("schema", .int(1)), .init("key", .text(key)),
      .init("complete", .bool(entry.isComplete)),
      .init("hash", .text(entry.hash)),
      .init(
        "inputs",
        .list(
          entry.inputs.map {
            .list([.text($0.path), .int($0.size), .int($0.time), .text($0.hash)])
          })),
      .init("values", .object(entry.values)),
    ]
  }

  // MARK: Files

  private static func inputs(of job: PlannedJob, _ plan: JobPlan) -> [InputFile] {
    var paths: [String] = []
    for input in job.inputs {
      paths += Paths.isPattern(input) ? Paths.matching(input, base: plan.base) : [input]
    }
    return Set(paths).sorted().map { path in
      var info = stat()
      guard stat(Paths.absolute(path, base: plan.base), &info) == 0 else {
        return InputFile(path: path, size: -1, time: 0, hash: "")
      }
      return InputFile(
        path: path, size: Int(info.st_size),
        time: Int(info.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(info.st_mtim.tv_nsec), hash: "")
    }
  }

  private static func contentHash(_ path: String, base: String) -> String {
    let descriptor = open(Paths.absolute(path, base: base), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return "" }
    var hash = SHA256()
    var piece = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = read(descriptor, &piece, piece.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { return "" }
      if count == 0 { return hash.finish() }
      piece.withUnsafeBytes { hash.add(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
  }

  /// One line, at the end of the file that has the name now.
  private func append(_ members: [JSONValue.Member]) throws(WorkpoolError) {
    var bytes: [UInt8] = []
    JournalLine.write(members, to: &bytes)
    let descriptor = try Self.openLocked()
    defer { close(descriptor) }
    // A crash may have torn the last line: this one must not hang on it.
    let size = lseek(descriptor, 0, SEEK_END)
    var last = [UInt8](repeating: 10, count: 1)
    if size > 0 { _ = pread(descriptor, &last, 1, size - 1) }
    if last[0] != 10 { bytes.insert(10, at: 0) }
    let count = write(descriptor, bytes, bytes.count)
    guard count == bytes.count else {
      throw WorkpoolError(
        .ioFailed, "cannot write", path: Self.path, systemError: count < 0 ? errno : ENOSPC)
    }
  }

  private static func openLocked() throws(WorkpoolError) -> Int32 {
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else {
        throw WorkpoolError(.ioFailed, "cannot open", path: path, systemError: errno)
      }
      while flock(descriptor, LOCK_EX) != 0 && errno == EINTR {}
      var (ours, theirs) = (stat(), stat())
      if fstat(descriptor, &ours) == 0, stat(path, &theirs) == 0, ours.st_ino == theirs.st_ino {
        return descriptor
      }
      // It was compacted meanwhile.
      close(descriptor)
    }
  }

  /// Writes the last line of each job alone, under the old file's lock.
  private func compact() throws(WorkpoolError) {
    let descriptor = try Self.openLocked()
    defer { close(descriptor) }
    entries = [:]
    for line in JournalLine.read(try WholeFile.readAny(Self.path)) { take(line) }
    var bytes: [UInt8] = []
    for (key, entry) in entries.sorted(by: { $0.key < $1.key }) {
      JournalLine.write(Self.members(key, entry), to: &bytes)
    }
    try RunFolder.replace(Self.path, with: bytes)
  }
}
