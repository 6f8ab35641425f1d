// SPDX-License-Identifier: MIT
import CPlatform
import Glibc
import Workpool

/// What jobs have written, on this program's own standard output and error: of a job at once when it has
/// ended, or line by line. It is taken from the log files, which the kernel writes.
final class JobOutput {
  /// Longer ones are broken where they are shown by lines.
  private static let longestLine = 1 << 20

  private let form: RunSettings.OutputForm
  private let hasTags: Bool
  private let keepsOrder: Bool
  /// 0, or the errno that says why standard output takes nothing more.
  private(set) var failure: Int32 = 0

  /// With `keepsOrder`: the first job whose turn has not come, and what waits behind it.
  private var next = 0
  private var waiting: [Int: [(path: String, descriptor: Int32)]] = [:]
  private var tags: [Int: String] = [:]

  /// With `line`: what has been shown of each log.
  private struct Tail {
    var descriptor: Int32
    var target: Int32
    var offset: UInt64 = 0
    var rest: [UInt8] = []
  }
  private var tails: [Int: [Tail]] = [:]
  /// Of inotify, to poll; -1: nothing is shown line by line.
  let descriptor: Int32

  init(_ settings: RunSettings) {
    form = settings.output
    hasTags = settings.tags
    keepsOrder = settings.keepsOrder && settings.output == .group
    descriptor = settings.output == .line ? inotify_init1(O_CLOEXEC | O_NONBLOCK) : -1
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    for tail in tails.values.joined() { close(tail.descriptor) }
  }

  /// An attempt has begun to write to these files.
  func began(_ place: Int, _ id: String, output: String, errors: String) {
    guard form == .line, failure == 0 else { return }
    tags[place] = id + "\t"
    for (path, target) in [(output, Int32(1)), (errors, 2)] {
      let file = open(path, O_RDONLY | O_CLOEXEC)
      guard file >= 0 else { continue }
      if descriptor >= 0 { _ = inotify_add_watch(descriptor, path, UInt32(IN_MODIFY)) }
      tails[place, default: []].append(Tail(descriptor: file, target: target))
    }
    // What it wrote before it was watched tells nobody.
    follow(place, isEnd: false)
  }

  /// Something was written somewhere.
  func advance() {
    var events = [UInt8](repeating: 0, count: 4096)
    while read(descriptor, &events, events.count) > 0 {}
    for place in tails.keys.sorted() { follow(place, isEnd: false) }
  }

  /// An attempt has ended; its lines are shown, if they were to be shown one by one.
  func attemptEnded(_ place: Int) {
    guard form == .line else { return }
    follow(place, isEnd: true)
    for tail in tails.removeValue(forKey: place) ?? [] { close(tail.descriptor) }
  }

  /// A job is over: `files` are the logs of its last attempt, none if it never ran.
  func jobEnded(_ place: Int, _ id: String, files: (output: String, errors: String)?) {
    guard form == .group else { return }
    if hasTags { tags[place] = id + "\t" }
    let parts = files.map { [($0.output, Int32(1)), ($0.errors, Int32(2))] } ?? []
    guard keepsOrder else {
      for (path, target) in parts { copy(path, to: target, place) }
      tags[place] = nil
      return
    }
    waiting[place] = parts.map { (path: $0.0, descriptor: $0.1) }
    while let parts = waiting.removeValue(forKey: next) {
      for (path, target) in parts { copy(path, to: target, next) }
      tags[next] = nil
      next += 1
    }
  }

  // MARK: Bytes

  private func copy(_ path: String, to target: Int32, _ place: Int) {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    defer { close(file) }
    var piece = [UInt8](repeating: 0, count: 65_536)
    var rest: [UInt8] = []
    while true {
      let count = read(file, &piece, piece.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      put(piece[..<count], to: target, place, &rest)
    }
    finish(&rest, to: target, place)
  }

  private func follow(_ place: Int, isEnd: Bool) {
    guard var all = tails[place] else { return }
    for index in all.indices {
      var piece = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = piece.withUnsafeMutableBytes {
          wpl_file_read_at(all[index].descriptor, all[index].offset, $0.baseAddress!, $0.count)
        }
        guard count > 0 else { break }
        all[index].offset += UInt64(count)
        putLines(piece[..<Int(count)], to: all[index].target, place, &all[index].rest)
      }
      if isEnd { finish(&all[index].rest, to: all[index].target, place) }
    }
    tails[place] = all
  }

  /// All at once; with tags line by line.
  private func put(
    _ bytes: ArraySlice<UInt8>, to target: Int32, _ place: Int, _ rest: inout [UInt8]
  ) {
    if hasTags { putLines(bytes, to: target, place, &rest) } else { write(bytes, to: target) }
  }

  private func putLines(
    _ bytes: ArraySlice<UInt8>, to target: Int32, _ place: Int, _ rest: inout [UInt8]
  ) {
    guard let last = bytes.lastIndex(of: 10) else {
      rest += bytes
      // Nobody reads such a line; memory has an end.
      if rest.count >= Self.longestLine { finish(&rest, to: target, place) }
      return
    }
    let whole = rest + bytes[...last]
    rest = Array(bytes[(last + 1)...])
    guard hasTags else { return write(whole[...], to: target) }
    let tag = Array((tags[place] ?? "").utf8)
    var text: [UInt8] = []
    for line in whole.dropLast().split(separator: 10, omittingEmptySubsequences: false) {
      text += tag
      text += line
      text.append(10)
    }
    write(text[...], to: target)
  }

  /// A last line without an end gets one where lines of others follow.
  private func finish(_ rest: inout [UInt8], to target: Int32, _ place: Int) {
    if rest.isEmpty { return }
    putLines([10], to: target, place, &rest)
  }

  private func write(_ bytes: ArraySlice<UInt8>, to target: Int32) {
    guard target != 1 || failure == 0 else { return }
    bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let count = Glibc.write(target, bytes.baseAddress! + done, bytes.count - done)
        if count >= 0 {
          done += count
        } else if errno != EINTR {
          if target == 1 { failure = errno }
          return
        }
      }
    }
  }
}
