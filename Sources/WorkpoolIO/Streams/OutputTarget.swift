// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// One output of an `OutputSet`: its names and what is there.
struct OutputTarget {
  /// The final path, or what to call the descriptor.
  let path: String
  let owner: String
  let folder: String
  /// The name in its folder.
  let name: String
  /// The path of the temporary file.
  private(set) var part: String
  /// What is at `path`, through links.
  let info: wpl_file_info?
  private let descriptor: Int32?

  /// A new file, or one to be replaced by a new one.
  var isRegular: Bool { descriptor == nil && info?.isRegular ?? true }

  init(_ output: OutputSet.Output) throws(WorkpoolError) {
    path = output.endpoint.name
    owner = output.owner
    switch output.endpoint {
    case .descriptor(let number, _): descriptor = number
    case .path(let path): descriptor = Self.descriptor(named: path)
    }
    info = descriptor.map { Endpoint.descriptor($0, name: "").info } ?? Endpoint.path(path).info
    folder = Self.folder(of: path)
    name = Self.name(of: path)
    part = folder + "/." + name + ".wpool-\(wpl_process_id()).part"
    if descriptor == nil && (name.isEmpty || info?.isFolder ?? false) {
      throw WorkpoolError(.ioFailed, "cannot write", path: path, systemError: EISDIR)
    }
  }

  /// The same temporary file with another final name.
  func renamed(_ path: String) throws(WorkpoolError) -> OutputTarget {
    var target = try OutputTarget(OutputSet.Output(.path(path), owner: owner))
    target.part = part
    return target
  }

  func isSame(as other: OutputTarget) -> Bool {
    if let descriptor { if descriptor == other.descriptor { return true } }
    if let info, let theirs = other.info, info.isSameStorage(as: theirs) { return true }
    guard isRegular && other.isRegular && name == other.name else { return false }
    guard let mine = Endpoint.path(folder).info, let theirs = Endpoint.path(other.folder).info
    else { return folder == other.folder }
    return mine.isSameStorage(as: theirs)
  }

  /// A descriptor to write to: of a new temporary file, or of what is there.
  func open(isPrivate: Bool, isCancelled: () -> Bool) throws(WorkpoolError) -> Int32 {
    if let descriptor {
      let own = wpl_file_duplicate(descriptor)
      if own < 0 { throw failed("cannot write", path, own) }
      return own
    }
    if isRegular {
      let descriptor = wpl_file_open(
        part, Int32((isPrivate ? WPL_OPEN_PRIVATE : WPL_OPEN_NEW)))
      if descriptor < 0 { throw failed("cannot create", path, descriptor) }
      // A new file is nobody else's; where there are no locks, process numbers must do.
      _ = wpl_file_lock(descriptor)
      return descriptor
    }
    while true {
      let descriptor = wpl_file_open(path, Int32(WPL_OPEN_DIRECT))
      if descriptor >= 0 { return descriptor }
      if descriptor != -ENXIO || !(info?.isFIFO ?? false) {
        throw failed("cannot write", path, descriptor)
      }
      if isCancelled() {
        throw WorkpoolError(.cancelled, "cancelled before somebody read it", path: path)
      }
      wpl_sleep(10_000_000)
    }
  }

  func rename(replaces: Bool) throws(WorkpoolError) {
    let result = wpl_file_rename(part, path, replaces ? 1 : 0)
    if result == -EEXIST {
      throw WorkpoolError(.outputExists, "appeared during the run", path: path)
    }
    if result < 0 { throw failed("cannot rename the finished output", path, result) }
  }

  // MARK: Parts of earlier runs

  /// Removes temporary files of this output whose process is gone. One that cannot be removed
  /// disturbs nobody.
  func removeDeadParts(sparing inputs: [Endpoint]) {
    let found = Found("." + name + ".wpool-")
    _ = wpl_folder_visit(
      folder,
      { context, name in
        let found = Unmanaged<Found>.fromOpaque(context!).takeUnretainedValue()
        let name = String(cString: name!)
        if name.utf8.starts(with: found.begin.utf8) { found.names.append(name) }
        return 1
      }, Unmanaged.passUnretained(found).toOpaque())
    for name in found.names {
      let digits = name.utf8.dropFirst(found.begin.utf8.count).prefix { (48...57).contains($0) }
      guard let process = Int32(String(Substring(digits))),
        name.utf8.elementsEqual((found.begin + String(process) + ".part").utf8)
      else { continue }
      let part = Endpoint.path(folder + "/" + name)
      if isDead(part, of: process) && !inputs.contains(where: { $0.isSameStorage(as: part) }) {
        _ = wpl_file_remove(part.name)
      }
    }
  }

  /// The lock decides for this process's own number, which an earlier process may have had, and
  /// for processes that cannot be seen from here, in another container or on another machine.
  private func isDead(_ part: Endpoint, of process: Int32) -> Bool {
    if process != wpl_process_id() && wpl_process_exists(process) != 0 { return false }
    let descriptor = wpl_file_open(part.name, Int32(WPL_OPEN_DIRECT))
    if descriptor < 0 { return false }
    let isHeld = wpl_file_lock(descriptor) == -EAGAIN
    _ = wpl_file_close(descriptor)  // nothing was written to it
    return !isHeld
  }

  // MARK: Names

  /// Whether anything is at `path`, a link that leads nowhere too.
  static func isThere(_ path: String) -> Bool {
    var info = wpl_file_info()
    return wpl_file_info_at(path, 0, &info) == 0
  }

  static func folder(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.utf8.startIndex ? "/" : String(path[..<slash])
  }

  static func name(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
  }

  /// The descriptor behind a name of one. To open such a name would begin a redirected file anew.
  private static func descriptor(named path: String) -> Int32? {
    if path == "/dev/stdout" { return 1 }
    if path == "/dev/stderr" { return 2 }
    for folder in ["/dev/fd/", "/proc/self/fd/"] where path.utf8.starts(with: folder.utf8) {
      return Int32(String(Substring(path.utf8.dropFirst(folder.utf8.count))))
    }
    return nil
  }
}

extension Endpoint {
  fileprivate func isSameStorage(as other: Endpoint) -> Bool {
    guard let info, let theirs = other.info else { return false }
    return info.isSameStorage(as: theirs)
  }
}

/// Names in a folder that begin like a temporary file of an output.
private final class Found {
  let begin: String
  var names: [String] = []
  init(_ begin: String) { self.begin = begin }
}
