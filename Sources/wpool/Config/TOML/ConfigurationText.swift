// SPDX-License-Identifier: MIT
import TOMLKit
import Workpool

/// A configuration as it was read: its values, and where each of them stands.
struct ConfigurationText {
  let name: String
  let text: String
  let root: [StepParameter]
  private let lines: [ConfigurationLines.Path: Int]

  /// - Throws: a failure that names the line of what is no TOML.
  init(path: String) throws(Failure) {
    name = path
    text = try Self.content(of: path)
    let places = ConfigurationLines(text)
    lines = places.lines
    if let fault = places.fault {
      throw .usage(path + ":\(fault.line): this is no TOML: \(fault.message)")
    }
    do {
      let table = try TOMLTable(string: text)
      root = Self.members(of: table, places, [])
    } catch let error as TOMLParseError {
      throw .usage(path + ":\(error.source.begin.line): this is no TOML: \(error.description)")
    } catch {
      throw .usage(path + ": this is no TOML: \(error)")
    }
  }

  /// What was read by other means; `lines` has where it stands.
  init(name: String, text: String, root: [StepParameter], lines: [ConfigurationLines.Path: Int]) {
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
  func line(_ path: [String]) -> Int? {
    var path = path
    while !path.isEmpty {
      if let line = lines[path] { return line }
      path.removeLast()
    }
    return nil
  }

  // MARK: Values

  /// In the order of the text.
  private static func members(
    of table: TOMLTable, _ places: ConfigurationLines, _ path: [String]
  ) -> [StepParameter] {
    table.keys
      .map { ($0, places.order[path + [$0]] ?? Int.max) }
      .sorted { ($0.1, $0.0) < ($1.1, $1.0) }
      .compactMap { key, _ in
        table[key].map { StepParameter(key, value(of: $0, places, path + [key])) }
      }
  }

  private static func value(
    of value: any TOMLValueConvertible, _ places: ConfigurationLines, _ path: [String]
  ) -> StepValue {
    switch value.type {
    case .table:
      return .table(value.table.map { members(of: $0, places, path) } ?? [])
    case .array:
      guard let array = value.array else { return .list([]) }
      return .list(
        array.enumerated().map { Self.value(of: $1, places, path + [String($0)]) })
    case .string: return .text(value.string ?? "")
    case .int: return .int(value.int ?? 0)
    case .double: return .double(value.double ?? 0)
    case .bool: return .bool(value.bool ?? false)
    // No key takes one: as text it is wrong wherever a number is wanted, and looks like itself.
    case .date, .time, .dateTime: return .text("\(value.tomlValue.debugDescription)")
    }
  }
}
