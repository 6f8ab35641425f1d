// SPDX-License-Identifier: MIT
import CTOML
import Workpool

/// A configuration as it was read: its values, and where each of them stands.
struct ConfigurationText {
  /// A key is its table's names, numbers in lists, and its own name.
  typealias Path = [String]

  let name: String
  let text: String
  let root: [StepParameter]
  private let lines: [Path: Int]

  /// - Throws: a failure that names the line of what is no TOML.
  init(path: String) throws(Failure) {
    name = path
    text = try Self.content(of: path)
    var bytes = text
    guard let document = bytes.withUTF8({ Self.parse($0) }) else {
      throw .usage(path + ": there is no memory to read it")
    }
    defer { wpt_free(document) }
    var faultLine: UInt32 = 0
    if let fault = wpt_error(document, &faultLine) {
      throw .usage(path + ":\(faultLine): this is no TOML: \(String(cString: fault))")
    }
    var reader = ValueReader(next: wpt_values(document))
    root = reader.takeRoot()
    lines = reader.lines
  }

  private static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> OpaquePointer? {
    bytes.withMemoryRebound(to: CChar.self) { wpt_parse($0.baseAddress, $0.count) }
  }

  /// What was read by other means; `lines` has where it stands.
  init(name: String, text: String, root: [StepParameter], lines: [Path: Int]) {
    self.name = name
    self.text = text
    self.root = root
    self.lines = lines
  }

  static func content(of path: String) throws(Failure) -> String {
    do throws(WorkpoolError) {
      let bytes = try WholeFile.read(path)
      // The parser would take a zero byte for the end.
      guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
        throw WorkpoolError(.invalidArgument, "is not UTF-8 text", path: path)
      }
      return text
    } catch {
      throw Failure(exitCode: .usage, messages: [error.text])
    }
  }

  /// The line of a key, or of the nearest table around it.
  func line(_ path: Path) -> Int? {
    var path = path
    while !path.isEmpty {
      if let line = lines[path] { return line }
      path.removeLast()
    }
    return nil
  }
}

/// Takes the values of a text one after the other, with all that is in them.
private struct ValueReader {
  var next: UnsafePointer<wpt_value>
  private(set) var lines: [ConfigurationText.Path: Int] = [:]

  init(next: UnsafePointer<wpt_value>) { self.next = next }

  mutating func takeRoot() -> [StepParameter] {
    guard case .table(let members) = takeContent([]) else { return [] }
    return members
  }

  private mutating func takeContent(_ path: ConfigurationText.Path) -> StepValue {
    let value = next.pointee
    next += 1
    switch value.kind {
    case WPT_TABLE:
      return .table(
        (0..<value.count).map { _ in
          let key = Self.text(next.pointee.key, next.pointee.key_size)
          return StepParameter(key, take(path + [key]))
        })
    case WPT_LIST: return .list((0..<value.count).map { take(path + [String($0)]) })
    case WPT_INTEGER: return .int(Int(value.integer))
    case WPT_NUMBER: return .double(value.number)
    case WPT_BOOLEAN: return .bool(value.integer != 0)
    // No key takes a time: as text it is wrong wherever a number is wanted, and looks like itself.
    default: return .text(Self.text(value.text, value.text_size))
    }
  }

  private mutating func take(_ path: ConfigurationText.Path) -> StepValue {
    lines[path] = Int(next.pointee.line)
    return takeContent(path)
  }

  private static func text(_ bytes: UnsafePointer<CChar>?, _ size: Int) -> String {
    String(
      decoding: UnsafeRawBufferPointer(start: bytes, count: size), as: UTF8.self)
  }
}
