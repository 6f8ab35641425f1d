// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// The outputs of one run, which appear together when all of them are complete, or not at all.
///
/// A regular output is written under a temporary name, `.{name}.wpool-{pid}.part` in its own
/// folder, and renamed by `commit`. A marker, `{prefix}.incompleted`, is the first file created
/// and the last one removed: after a run that ended badly it stays, and the next run may write
/// over what it finds. FIFOs, devices and descriptors are written directly.
///
/// No input is ever opened for writing, replaced or removed.
///
/// Threads: one at a time.
public final class OutputSet {
  public struct Options: Sendable {
    /// Whether existing files at the final names may be replaced.
    public var allowsOverwrite = false
    /// Whether temporary files stay after a failure.
    public var keepsPartial = false
    /// Whether files and folders are on the device before a name appears.
    public var syncs = false
    /// What the regular outputs take over from another file; until then only their owner sees them.
    public var attributes: FileAttributes?
    /// Whether a marker says that a run has begun and not ended well.
    public var hasMarker = true
    /// For tests of programs: every output fails with this errno before it has so many bytes.
    public var failure: (afterBytes: UInt64, systemError: Int32)?
    public init() {}
  }

  public struct Output: Sendable {
    public var endpoint: Endpoint
    /// Who writes it, for messages, such as `step 3 (Report)`.
    public var owner: String
    public init(_ endpoint: Endpoint, owner: String = "output") {
      self.endpoint = endpoint
      self.owner = owner
    }
  }

  private enum State { case planned, open, ended }

  private let options: Options
  private var targets: [OutputTarget]
  /// Names may be asked for while the list grows.
  private let monitor: Monitor
  private let inputs: [Endpoint]
  private let prefix: String?
  /// The path of the marker; nil for a run without regular outputs.
  public let marker: String?
  private var markerDescriptor: Int32 = -1
  /// Whether an earlier run left its marker, and so nothing that is worth keeping.
  private var hadMarker: Bool
  private var state = State.planned
  private var sinks: [ByteSink] = []
  /// Indices of temporary files that are there.
  private var parts: [Int] = []

  /// Judges a plan and changes nothing.
  ///
  /// Errors: `outputExists` for a file at a final name, unless it may be replaced or the marker
  /// is there; `invalidArgument` for an output that is an input, whatever the options, by device
  /// and inode and through links, and for two outputs of the same name; `ioFailed` for a folder.
  /// - Parameters:
  ///   - inputs: all that the run reads.
  ///   - prefix: what the marker is named after, its missing folders are created; nil: the first
  ///     regular output.
  public init(
    _ outputs: [Output], inputs: [Endpoint], prefix: String? = nil, options: Options = Options()
  ) throws(WorkpoolError) {
    var targets: [OutputTarget] = []
    for output in outputs { targets.append(try OutputTarget(output)) }
    let first = targets.first { $0.isRegular }?.path
    self.marker = options.hasMarker ? (prefix ?? first).map { $0 + ".incompleted" } : nil
    self.hadMarker = marker.map { OutputTarget.isThere($0) } ?? false
    self.targets = targets
    monitor = try Monitor()
    self.inputs = inputs
    self.prefix = prefix
    self.options = options

    let inputInfos = inputs.map { ($0.name, $0.info) }
    for (index, target) in targets.enumerated() {
      for (name, info) in inputInfos {
        if let info, let own = target.info, info.isSameStorage(as: own) {
          throw WorkpoolError(
            .invalidArgument, "is written by \(target.owner) and is the input \(name)",
            path: target.path)
        }
      }
      for other in targets[..<index] where other.isSame(as: target) {
        throw WorkpoolError(
          .invalidArgument, "is written by \(other.owner) and by \(target.owner)",
          path: target.path)
      }
      if target.path == marker {
        throw WorkpoolError(.invalidArgument, "is the name of the run's marker", path: target.path)
      }
    }
    try refuseExisting()
    if let marker, let info = Endpoint.path(marker).info {
      for (name, input) in inputInfos where input?.isSameStorage(as: info) ?? false {
        throw WorkpoolError(
          .invalidArgument, "is the run's marker and the input \(name)", path: marker)
      }
    }
  }

  deinit {
    abandon()
    monitor.destroy()
  }

  /// The temporary names of the regular outputs, whether or not the files are there. Any thread,
  /// any time.
  public var temporaryFiles: [String] {
    monitor.lock()
    let targets = targets
    monitor.unlock()
    return targets.filter { $0.isRegular }.map { $0.part }
  }

  /// Creates the marker and the temporary files and opens the rest.
  ///
  /// A FIFO is waited for until somebody reads it or `isCancelled` says so. A run that cannot
  /// begin leaves things as they were.
  /// Errors: `ioFailed`, `busy` where a live run holds the marker, `cancelled`.
  public func open(isCancelled: () -> Bool = { false }) throws(WorkpoolError) {
    guard state == .planned else { throw WorkpoolError(.invalidState, "outputs are open already") }
    state = .open
    do {
      if let prefix { try createFolders(of: prefix) }
      if let marker {
        try createMarker(marker)
        // The marker seen before may have gone with a run that ended well meanwhile.
        try refuseExisting()
      }
      for target in targets where target.isRegular {
        target.removeDeadParts(sparing: inputs)
      }
      for (index, target) in targets.enumerated() {
        let descriptor = try target.open(
          isPrivate: options.attributes != nil, isCancelled: isCancelled)
        if target.isRegular { parts.append(index) }
        sinks.append(
          ByteSink(
            owning: descriptor, name: target.path, syncs: options.syncs,
            attributes: target.isRegular ? options.attributes : nil))
        sinks[index].failure = options.failure
      }
    } catch {
      if let marker, markerDescriptor >= 0 && !hadMarker { _ = wpl_file_remove(marker) }
      end(keepingParts: false)
      throw error
    }
  }

  /// Adds an output to those that are open; its name is not that of another one.
  ///
  /// Errors: as for the ones that were planned.
  /// - Returns: its index.
  public func add(_ output: Output) throws(WorkpoolError) -> Int {
    guard state == .open else { throw WorkpoolError(.invalidState, "outputs are not open") }
    let target = try OutputTarget(output)
    try refuse(target)
    target.removeDeadParts(sparing: inputs)
    let descriptor = try target.open(isPrivate: options.attributes != nil, isCancelled: { false })
    monitor.lock()
    targets.append(target)
    monitor.unlock()
    if target.isRegular { parts.append(targets.count - 1) }
    sinks.append(
      ByteSink(
        owning: descriptor, name: target.path, syncs: options.syncs,
        attributes: target.isRegular ? options.attributes : nil))
    sinks[targets.count - 1].failure = options.failure
    return targets.count - 1
  }

  /// Gives a regular output that is open another final name.
  public func rename(_ index: Int, to path: String) throws(WorkpoolError) {
    guard state == .open else { throw WorkpoolError(.invalidState, "outputs are not open") }
    let target = try targets[index].renamed(path)
    try refuse(target)
    monitor.lock()
    targets[index] = target
    monitor.unlock()
  }

  private func refuse(_ target: OutputTarget) throws(WorkpoolError) {
    for input in inputs {
      if let info = input.info, let own = target.info, info.isSameStorage(as: own) {
        throw WorkpoolError(
          .invalidArgument, "is written by \(target.owner) and is the input \(input.name)",
          path: target.path)
      }
    }
    if !options.allowsOverwrite && !hadMarker && OutputTarget.isThere(target.path) {
      throw WorkpoolError(
        .outputExists, "exists already; --allow-overwrite replaces it", path: target.path)
    }
  }

  /// Where the output at `index` of the plan is written, from `open` on.
  public func sink(_ index: Int) -> ByteSink { sinks[index] }

  /// Gives all outputs their names, in the order of the plan, once each sink is closed; then
  /// removes the marker.
  ///
  /// Errors: `ioFailed`, `outputExists` where a file appeared meanwhile; the marker stays then.
  public func commit() throws(WorkpoolError) {
    guard state == .open else { throw WorkpoolError(.invalidState, "outputs are not open") }
    for sink in sinks where !sink.isClosed {
      throw WorkpoolError(.invalidState, "is not finished", path: sink.name)
    }
    do throws(WorkpoolError) {
      while let index = parts.first {
        try targets[index].rename(replaces: options.allowsOverwrite || hadMarker)
        parts.removeFirst()
      }
      if options.syncs { try syncFolders() }
      if let marker {
        let result = wpl_file_remove(marker)
        if result < 0 { throw failed("cannot remove", marker, result) }
      }
    } catch {
      abandon()
      throw error
    }
    end(keepingParts: false)
  }

  /// Gives up what is not committed: closes and removes temporary files, unless they are to be
  /// kept; the marker stays. Does nothing after `commit` or before `open`.
  public func abandon() {
    if state == .open { end(keepingParts: options.keepsPartial) }
  }

  private func end(keepingParts: Bool) {
    state = .ended
    for sink in sinks { sink.abandon() }
    if !keepingParts {
      for index in parts { _ = wpl_file_remove(targets[index].part) }  // litter at worst
    }
    parts = []
    if markerDescriptor >= 0 {
      _ = wpl_file_unlock(markerDescriptor)  // before the close: a child may have it for a moment
      _ = wpl_file_close(markerDescriptor)  // it was synced
    }
    markerDescriptor = -1
  }

  private func refuseExisting() throws(WorkpoolError) {
    if options.allowsOverwrite || hadMarker { return }
    for target in targets where target.isRegular && OutputTarget.isThere(target.path) {
      throw WorkpoolError(
        .outputExists, "exists already; --allow-overwrite replaces it", path: target.path)
    }
  }

  // MARK: Marker and folders

  /// The lock tells a run that is alive from one that died, also across process numbers.
  private func createMarker(_ path: String) throws(WorkpoolError) {
    while true {
      let descriptor = wpl_file_open(path, Int32(WPL_OPEN_MARKER))
      if descriptor < 0 { throw failed("cannot create", path, descriptor) }
      markerDescriptor = descriptor
      if wpl_file_lock(descriptor) == -EAGAIN {
        _ = wpl_file_close(descriptor)
        markerDescriptor = -1
        throw WorkpoolError(.busy, "another run is writing these outputs", path: path)
      }
      var info = wpl_file_info()
      if wpl_file_info_of(descriptor, &info) == 0 && info.links == 0 {
        _ = wpl_file_close(descriptor)  // another run has ended and removed it meanwhile
        markerDescriptor = -1
        continue
      }
      let text: StaticString = "run incomplete\n"
      var result = Int32(0)
      hadMarker = info.size > 0
      if !hadMarker {
        result = Int32(wpl_file_write(descriptor, text.utf8Start, text.utf8CodeUnitCount))
      }
      if result >= 0 { result = wpl_file_sync(descriptor) }
      if result >= 0 { result = wpl_folder_sync(OutputTarget.folder(of: path)) }
      if result < 0 { throw failed("cannot write", path, result) }
      return
    }
  }

  private func createFolders(of path: String) throws(WorkpoolError) {
    let folder = OutputTarget.folder(of: path)
    if OutputTarget.isThere(folder) { return }
    try createFolders(of: folder)
    let result = wpl_folder_create(folder)
    if result < 0 && result != -EEXIST { throw failed("cannot create", folder, result) }
  }

  private func syncFolders() throws(WorkpoolError) {
    for target in targets where target.isRegular {
      let result = wpl_folder_sync(target.folder)
      if result < 0 { throw failed("cannot sync", target.folder, result) }
    }
  }
}

func failed(_ message: String, _ path: String, _ result: Int32) -> WorkpoolError {
  WorkpoolError(.ioFailed, message, path: path, systemError: -result)
}
