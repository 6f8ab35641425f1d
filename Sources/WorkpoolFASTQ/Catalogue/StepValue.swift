// SPDX-License-Identifier: MIT
import CPlatform

/// What a parameter of a step is set to, as a configuration file or a caller says it.
public indirect enum StepValue: Equatable, Sendable {
  case int(Int)
  case double(Double)
  case bool(Bool)
  case text(String)
  case list([StepValue])
  case table([StepParameter])

  /// As a configuration would have it.
  public var text: String {
    switch self {
    case .int(let number): String(number)
    case .double(let number): doubleText(number)
    case .bool(let value): value ? "true" : "false"
    case .text(let text): "\"" + text + "\""
    case .list(let values): "[" + joined(values.map { $0.text }, ", ") + "]"
    case .table(let members):
      "{" + joined(members.map { $0.key + " = " + $0.value.text }, ", ") + "}"
    }
  }
}

public struct StepParameter: Equatable, Sendable {
  public var key: String
  public var value: StepValue

  public init(_ key: String, _ value: StepValue) {
    self.key = key
    self.value = value
  }
}

/// One step as it was asked for, not yet checked.
public struct StepRequest: Equatable, Sendable {
  public var action: String
  public var parameters: [StepParameter]
  /// Where the request stands, such as `pipeline.toml:12`, for messages.
  public var origin: String?

  public init(_ action: String, _ parameters: [StepParameter] = [], origin: String? = nil) {
    self.action = action
    self.parameters = parameters
    self.origin = origin
  }
}

func doubleText(_ number: Double) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(WPL_DOUBLE_TEXT_SIZE)) { text in
    let size = wpl_format_double(number, text.baseAddress!)
    return String(
      decoding: UnsafeRawBufferPointer(start: text.baseAddress, count: size), as: UTF8.self)
  }
}

func joined(_ parts: [String], _ separator: String) -> String {
  var text = ""
  for (index, part) in parts.enumerated() { text += (index > 0 ? separator : "") + part }
  return text
}
