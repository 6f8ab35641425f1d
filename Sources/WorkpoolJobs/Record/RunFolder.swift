// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// The folder of one run, `<log-dir>/<run id>`, locked by the process whose run it is.
public final class RunFolder {
  public let id: String
  /// As it was given: relative to the current folder, or absolute.
  public let path: String
  private let lock: FolderLock
  /// Names of files that are taken, by id.
  private var names: [String: String] = [:]
  private var taken: Set<String> = []

  public var journalPath: String { path + "/run.jsonl" }
  public var summaryPath: String { path + "/run.json" }

  /// - Throws: `exists` if there is such a run already, `busy` if another process has it, `ioFailed`.
  public init(id: String, in logFolder: String) throws(WorkpoolError) {
    self.id = id
    path = logFolder + "/" + id
    try Self.makeFolders(logFolder)
    let made = wpl_folder_create(path)
    if made < 0 && isThere(path) {
      throw WorkpoolError(.exists, "\(path) exists already; a run needs an id of its own")
    }
    try Self.check(made, path)
    try Self.check(wpl_folder_create(path + "/jobs"), path + "/jobs")
    lock = try FolderLock(path)
  }

  /// This one and those it lies in, as far as they are not there.
  static func makeFolders(_ path: String) throws(WorkpoolError) {
    let bytes = Array(path.utf8)
    for end in 1...max(1, bytes.count) {
      guard end >= bytes.count || bytes[end] == UInt8(ascii: "/") else { continue }
      let folder = String(decoding: bytes[..<min(end, bytes.count)], as: UTF8.self)
      let made = wpl_folder_create(folder)
      if made < 0 && !isThere(folder) { try check(made, folder) }
    }
  }

  private static func check(_ result: Int32, _ path: String) throws(WorkpoolError) {
    guard result >= 0 else {
      throw WorkpoolError(.ioFailed, "cannot create", path: path, systemError: -result)
    }
  }

  // MARK: Files of jobs

  /// `jobs/<safe id>.<attempt>.<suffix>`
  public func file(_ id: String, attempt: Int32, _ suffix: String) -> String {
    path + "/" + name(id, attempt: attempt, suffix)
  }

  /// The same from the folder on.
  public func name(_ id: String, attempt: Int32, _ suffix: String) -> String {
    "jobs/" + name(id) + ".\(attempt)." + suffix
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
  public static func replace(_ path: String, with bytes: [UInt8]) throws(WorkpoolError) {
    let temporary = path + ".\(wpl_process_id()).tmp"
    do throws(WorkpoolError) {
      try SmallFile.write(bytes, as: temporary, syncs: true)
      let renamed = wpl_file_rename(temporary, path, 1)
      guard renamed >= 0 else {
        throw WorkpoolError(.ioFailed, "cannot write", path: path, systemError: -renamed)
      }
    } catch {
      _ = wpl_file_remove(temporary)
      var error = error
      error.path = path
      throw error
    }
    let bytes = Array(path.utf8)
    let end = bytes.lastIndex(of: UInt8(ascii: "/"))
    _ = wpl_folder_sync(end.map { String(decoding: bytes[..<$0], as: UTF8.self) } ?? ".")
  }
}

/// A lock of a run's folder, until nobody holds this any more, or the process has ended, however it does. No
/// child inherits it.
public final class FolderLock: Sendable {
  private let descriptor: Int32

  /// - Throws: `busy`, naming who has it.
  public init(_ path: String) throws(WorkpoolError) {
    descriptor = wpl_folder_open(path)
    guard descriptor >= 0 else {
      throw WorkpoolError(.ioFailed, "cannot open", path: path, systemError: -descriptor)
    }
    let result = wpl_file_lock(descriptor)
    if result == 0 { return }
    _ = wpl_file_close(descriptor)
    guard result == wpl_again else {
      throw WorkpoolError(.ioFailed, "cannot lock", path: path, systemError: -result)
    }
    let holder = RunHistory.headLine(path)?["pid"]?.int.map { " by process \($0)" } ?? ""
    throw WorkpoolError(.busy, "\(path) is in use\(holder)")
  }

  deinit {
    _ = wpl_file_unlock(descriptor)
    _ = wpl_file_close(descriptor)
  }
}

/// Whether anything is there, links followed.
func isThere(_ path: String) -> Bool {
  var info = wpl_file_info()
  return wpl_file_info_at(path, 1, &info) == 0
}

/// Files that fit into memory.
public enum SmallFile {
  /// - Parameter most: bytes from the beginning; the rest is left.
  public static func read(_ path: String, most: Int = .max) throws(WorkpoolError) -> [UInt8] {
    let descriptor = wpl_file_open(path, Int32(WPL_OPEN_INPUT))
    guard descriptor >= 0 else {
      throw WorkpoolError(.ioFailed, "cannot open", path: path, systemError: -descriptor)
    }
    defer { _ = wpl_file_close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: min(most, 65_536))
    while bytes.count < most {
      let count = piece.withUnsafeMutableBytes {
        wpl_file_read(descriptor, $0.baseAddress, min($0.count, most - bytes.count))
      }
      guard count >= 0 else {
        throw WorkpoolError(.ioFailed, "cannot read", path: path, systemError: Int32(-count))
      }
      if count == 0 { break }
      bytes += piece[..<Int(count)]
    }
    return bytes
  }

  /// The last bytes of a file, from the beginning of a character on; nothing where there is none.
  public static func tail(_ path: String, bytes most: Int) -> String {
    let descriptor = wpl_file_open(path, Int32(WPL_OPEN_INPUT))
    guard descriptor >= 0 else { return "" }
    defer { _ = wpl_file_close(descriptor) }
    var info = wpl_file_info()
    guard wpl_file_info_of(descriptor, &info) == 0, info.size > 0 else { return "" }
    let size = Int(info.size)
    var bytes = [UInt8](repeating: 0, count: min(size, most))
    let count = bytes.withUnsafeMutableBytes {
      wpl_file_read_at(descriptor, UInt64(size - $0.count), $0.baseAddress, $0.count)
    }
    guard count > 0 else { return "" }
    let start = bytes.prefix(4).firstIndex { $0 & 0xc0 != 0x80 } ?? 0
    return String(decoding: bytes[start..<max(start, Int(count))], as: UTF8.self)
  }

  /// Makes a file, or one that is there anew.
  ///
  /// - Parameter syncs: whether it is on the device afterwards.
  public static func write(
    _ bytes: [UInt8], as path: String, syncs: Bool = false
  ) throws(WorkpoolError) {
    let descriptor = wpl_file_open(path, Int32(WPL_OPEN_REPLACE))
    guard descriptor >= 0 else {
      throw WorkpoolError(.ioFailed, "cannot create", path: path, systemError: -descriptor)
    }
    var failed = write(bytes, to: descriptor)
    if failed == 0 && syncs { failed = -wpl_file_sync(descriptor) }
    let closed = wpl_file_close(descriptor)
    if failed == 0 { failed = -closed }
    guard failed == 0 else {
      throw WorkpoolError(.ioFailed, "cannot write", path: path, systemError: failed)
    }
  }

  /// - Returns: 0 or errno.
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        wpl_file_write(descriptor, $0.baseAddress! + done, $0.count - done)
      }
      if count < 0 { return Int32(-count) }
      done += Int(count)
    }
    return 0
  }
}

/// What there is to say about this machine and moment.
public enum Surroundings {
  public static var host: String {
    var name = [CChar](repeating: 0, count: 256)
    return wpl_host_name(&name, 256) == 0 ? text(name) : ""
  }

  /// The current folder, from the root on; empty if it cannot be told.
  static var currentFolder: String {
    var room = [CChar](repeating: 0, count: 4096)
    return wpl_current_folder(&room, 4096) == 0 ? text(room) : ""
  }

  /// Empty where there is none: then no process is taken for one of an earlier run.
  public static var bootID: String {
    do throws(WorkpoolError) {
      let bytes = try SmallFile.read("/proc/sys/kernel/random/boot_id")
      return String(decoding: bytes.filter { $0 > 32 }, as: UTF8.self)
    } catch {
      return ""
    }
  }

  /// Up to the first NUL.
  public static func text(_ characters: [CChar]) -> String {
    var bytes: [UInt8] = []
    for character in characters {
      if character == 0 { break }
      bytes.append(UInt8(bitPattern: character))
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
