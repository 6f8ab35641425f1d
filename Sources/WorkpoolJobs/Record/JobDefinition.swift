// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What a job does, as far as its results depend on it. A job whose definition is another one than at
/// its last success has to run again.
public struct JobDefinition: Sendable {
  /// Words of a command; empty: it is none.
  public var arguments: [String] = []
  public var folder = ""
  /// `NAME=value`, as far as they are declared.
  public var environment: [String] = []
  public var input: String?
  public var inputs: [String] = []
  public var outputs: [String] = []
  public var dependencies: [String] = []
  /// Of what is no command, such as its version and its parameters.
  public var text = ""

  public init() {}

  /// Half of the SHA-256 of all of it, in hexadecimal digits.
  public var hash: String {
    String(decoding: Array(SHA256.digits(of: bytes).utf8).prefix(32), as: UTF8.self)
  }

  private var bytes: [UInt8] {
    func texts(_ texts: [String]) -> JSONValue { .list(texts.map { .text($0) }) }
    var members: [JSONValue.Member] = [
      .init("run", texts(arguments)),
      .init("cwd", .text(folder)),
      .init("env", texts(environment.sorted())),
      .init("stdin", input.map { .text($0) } ?? .null),
      .init("inputs", texts(inputs)),
      .init("outputs", texts(outputs)),
      .init("after", texts(dependencies.sorted())),
    ]
    if !text.isEmpty { members.append(.init("definition", .text(text))) }
    var bytes: [UInt8] = []
    JSONValue.object(members).write(to: &bytes)
    return bytes
  }
}
