// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// The folder of one run, `<log-dir>/<run id>`, locked by the process whose run it is.
final class RunFolder {
  let id: String
  /// As it was given: relative to the current folder, or absolute.
  let path: String
  /// Of the folder; closing it, also by a crash, gives the lock up. No child inherits it.
  private let lock: Int32
  /// Names of files that are taken, by id.
  private var names: [String: String] = [:]
  private var taken: Set<String> = []

  var journalPath: String { path + "/run.jsonl" }
  var summaryPath: String { path + "/run.json" }
  private var jobsPath: String { path + "/jobs" }

  /// - Throws: what keeps the folder from being made, or that it is there already.
  init(id: String, in logFolder: String) throws(Failure) {
    self.id = id
    path = logFolder + "/" + id
    try Self.makeFolders(logFolder)
    guard mkdir(path, 0o777) == 0 else {
      if errno == EEXIST {
        throw .usage("\(path) exists already; a run needs an id of its own")
      }
      throw Self.failed("cannot create", path)
    }
    guard mkdir(path + "/jobs", 0o777) == 0 else {
      throw Self.failed("cannot create", path + "/jobs")
    }
    lock = try Self.lock(path)
  }

  deinit { close(lock) }

  /// A lock of a run's folder, until the descriptor is closed.
  static func lock(_ path: String) throws(Failure) -> Int32 {
    let descriptor = wpl_folder_open(path)
    guard descriptor >= 0 else {
      errno = -descriptor
      throw failed("cannot open", path)
    }
    let result = wpl_file_lock(descriptor)
    if result == 0 { return descriptor }
    close(descriptor)
    guard result == -EAGAIN else {
      errno = -result
      throw failed("cannot lock", path)
    }
    let holder = RunHistory.holder(of: path).map { " by process \($0)" } ?? ""
    throw .usage("\(path) is in use\(holder)")
  }

  private static func makeFolders(_ path: String) throws(Failure) {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += (made.isEmpty || made.hasSuffix("/") ? "" : "/") + part
      if mkdir(made, 0o777) != 0 && errno != EEXIST { throw failed("cannot create", made) }
    }
  }

  private static func failed(_ message: String, _ path: String) -> Failure {
    Failure(
      exitCode: .program,
      messages: [
        WorkpoolError(.ioFailed, message, path: path, systemError: errno).text
      ])
  }

  // MARK: Files of jobs

  /// `jobs/<safe id>.<attempt>.<suffix>`
  func file(_ id: String, attempt: Int32, _ suffix: String) -> String {
    jobsPath + "/" + name(id) + ".\(attempt)." + suffix
  }

  private func name(_ id: String) -> String {
    if let name = names[id] { return name }
    let wanted = RunName.fileName(id)
    var name = wanted
    var number = 2
    while !taken.insert(name).inserted {
      name = wanted + "-\(number)"
      number += 1
    }
    names[id] = name
    return name
  }

  // MARK: Whole files

  /// Replaces a file so that a reader, and a crash, see the old one or the new one.
  static func replace(_ path: String, with bytes: [UInt8]) throws(WorkpoolError) {
    let temporary = path + ".\(getpid()).tmp"
    let descriptor = wpl_file_open(temporary, Int32(WPL_OPEN_REPLACE))
    guard descriptor >= 0 else {
      throw WorkpoolError(.ioFailed, "cannot create", path: temporary, systemError: -descriptor)
    }
    var done = 0
    var failed: Int32 = 0
    while done < bytes.count && failed == 0 {
      let count = bytes.withUnsafeBytes {
        wpl_file_write(descriptor, $0.baseAddress! + done, $0.count - done)
      }
      if count < 0 { failed = Int32(-count) } else { done += Int(count) }
    }
    if failed == 0 { failed = -wpl_file_sync(descriptor) }
    let closed = wpl_file_close(descriptor)
    if failed == 0 { failed = -closed }
    if failed == 0 { failed = -wpl_file_rename(temporary, path, 1) }
    guard failed == 0 else {
      _ = wpl_file_remove(temporary)
      throw WorkpoolError(.ioFailed, "cannot write", path: path, systemError: failed)
    }
    let end = path.lastIndex(of: "/")
    _ = wpl_folder_sync(end.map { String(path[..<$0]) } ?? ".")
  }

  /// The last bytes of a file; nothing where there is none.
  static func tail(_ path: String, bytes most: Int) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    let size = Int(lseek(descriptor, 0, SEEK_END))
    guard size > 0 else { return "" }
    var bytes = [UInt8](repeating: 0, count: min(size, most))
    let count = bytes.withUnsafeMutableBytes {
      wpl_file_read_at(
        descriptor, UInt64(size - min(size, most)), $0.baseAddress!, $0.count)
    }
    guard count > 0 else { return "" }
    // Not from the middle of a character.
    let start = bytes.prefix(4).firstIndex { $0 & 0xc0 != 0x80 } ?? 0
    return String(decoding: bytes[start..<Int(count)], as: UTF8.self)
  }
}

/// What there is to say about this machine and moment.
enum Surroundings {
  static var host: String {
    var name = [CChar](repeating: 0, count: 256)
    return gethostname(&name, 255) == 0 ? text(name) : ""
  }

  static var bootID: String {
    // Where there is none, no process is taken for one of an earlier run.
    let bytes = (try? WholeFile.read("/proc/sys/kernel/random/boot_id")) ?? []
    return String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
  }

  static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}
