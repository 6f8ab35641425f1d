// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A formula as a tree, in which parts without names are worked out already.
indirect enum ExpressionNode {
  case constant(Double)
  case leaf(Int)
  case unary(Expression.Operation, ExpressionNode)
  case binary(Expression.Operation, ExpressionNode, ExpressionNode)
  case call(Expression.Function, [ExpressionNode])

  var constant: Double? { if case .constant(let number) = self { number } else { nil } }

  func emit(_ operations: inout [Expression.Operation]) {
    switch self {
    case .constant(let number): operations.append(.constant(number))
    case .leaf(let name): operations.append(.variable(name))
    case .unary(let operation, let node):
      node.emit(&operations)
      operations.append(operation)
    case .binary(let operation, let one, let other):
      one.emit(&operations)
      other.emit(&operations)
      operations.append(operation)
    case .call(let function, let arguments):
      for argument in arguments { argument.emit(&operations) }
      operations.append(.call(function, arguments: arguments.count))
    }
  }

  static func applying(_ operation: Expression.Operation, _ node: Self) -> Self {
    if let number = node.constant { return .constant(operation.value(number, 0)) }
    return .unary(operation, node)
  }

  static func joining(_ operation: Expression.Operation, _ one: Self, _ other: Self) -> Self {
    if let a = one.constant, let b = other.constant { return .constant(operation.value(a, b)) }
    return .binary(operation, one, other)
  }

  /// A sum or product: its constants become one, which comes last.
  static func folding(_ operation: Expression.Operation, _ nodes: [Self], neutral: Double) -> Self {
    guard nodes.count > 1 else { return nodes[0] }
    var constant = neutral
    var result: Self?
    for node in nodes {
      if let number = node.constant {
        constant = operation.value(constant, number)
      } else {
        result = result.map { .binary(operation, $0, node) } ?? node
      }
    }
    guard let result else { return .constant(constant) }
    return constant == neutral ? result : .binary(operation, result, .constant(constant))
  }
}

/// Binding, strongest first: `^` (to the right), `%`, `/`, `*`, `-`, `+`, comparisons, `&&` `and`,
/// `||` `or`. Signs and `!` belong to the value behind them.
struct ExpressionParser {
  private let bytes: [UInt8]
  private let text: String
  private var index = 0
  private var depth = 0
  private(set) var names: [String] = []

  private static let greatestDepth = 64

  init(_ text: String) {
    self.text = text
    bytes = Array(text.utf8)
  }

  mutating func parse() throws(WorkpoolError) -> ExpressionNode {
    let node = try or()
    skipBlanks()
    if index < bytes.count { throw problem("unexpected " + visibleByte(bytes[index])) }
    return node
  }

  // MARK: Levels

  private mutating func or() throws(WorkpoolError) -> ExpressionNode {
    var node = try and()
    while take("||") || takeWord("or") { node = .joining(.or, node, try and()) }
    return node
  }

  private mutating func and() throws(WorkpoolError) -> ExpressionNode {
    var node = try comparison()
    while take("&&") || takeWord("and") { node = .joining(.and, node, try comparison()) }
    return node
  }

  private mutating func comparison() throws(WorkpoolError) -> ExpressionNode {
    var node = try sum()
    while true {
      let operation: Expression.Operation
      if take("==") {
        operation = .equal
      } else if take("!=") {
        operation = .unequal
      } else if take("<=") {
        operation = .lessOrEqual
      } else if take(">=") {
        operation = .greaterOrEqual
      } else if take("<") {
        operation = .less
      } else if take(">") {
        operation = .greater
      } else {
        return node
      }
      node = .joining(operation, node, try sum())
    }
  }

  private mutating func sum() throws(WorkpoolError) -> ExpressionNode {
    var nodes = [try difference()]
    while take("+") { nodes.append(try difference()) }
    return .folding(.add, nodes, neutral: 0)
  }

  private mutating func difference() throws(WorkpoolError) -> ExpressionNode {
    var nodes = [try product()]
    while take("-") { nodes.append(.applying(.negate, try product())) }
    return .folding(.add, nodes, neutral: 0)
  }

  private mutating func product() throws(WorkpoolError) -> ExpressionNode {
    var nodes = [try quotient()]
    while take("*") { nodes.append(try quotient()) }
    return .folding(.multiply, nodes, neutral: 1)
  }

  private mutating func quotient() throws(WorkpoolError) -> ExpressionNode {
    var nodes = [try remainder()]
    while take("/") { nodes.append(.applying(.reciprocal, try remainder())) }
    return .folding(.multiply, nodes, neutral: 1)
  }

  private mutating func remainder() throws(WorkpoolError) -> ExpressionNode {
    var node = try power()
    while take("%") { node = .joining(.modulo, node, try power()) }
    return node
  }

  private mutating func power() throws(WorkpoolError) -> ExpressionNode {
    let base = try value()
    guard take("^") else { return base }
    depth += 1
    guard depth < Self.greatestDepth else { throw problem("too deeply nested") }
    defer { depth -= 1 }
    return .joining(.power, base, try power())
  }

  // MARK: Values

  private mutating func value() throws(WorkpoolError) -> ExpressionNode {
    depth += 1
    guard depth < Self.greatestDepth else { throw problem("too deeply nested") }
    defer { depth -= 1 }
    if take("+") { return try value() }
    if take("-") { return .applying(.negate, try value()) }
    if take("!") { return .applying(.not, try value()) }
    skipBlanks()
    guard index < bytes.count else { throw problem("the end comes too early") }
    let byte = bytes[index]
    if let close = closing(byte) {
      index += 1
      let node = try or()
      guard take(close) else { throw problem("a bracket is not closed") }
      return node
    }
    if byte &- 48 < 10 || byte == UInt8(ascii: ".") { return .constant(try number()) }
    guard isLetter(byte) else { throw problem("unexpected " + visibleByte(byte)) }
    return try named()
  }

  private func closing(_ byte: UInt8) -> StaticString? {
    byte == UInt8(ascii: "(") ? ")" : byte == UInt8(ascii: "[") ? "]" : nil
  }

  private mutating func named() throws(WorkpoolError) -> ExpressionNode {
    let name = word()
    skipBlanks()
    guard index < bytes.count, let close = closing(bytes[index]) else {
      if let known = names.firstIndex(of: name) { return .leaf(known) }
      names.append(name)
      return .leaf(names.count - 1)
    }
    index += 1
    var arguments: [ExpressionNode] = []
    if !take(close) {
      repeat { arguments.append(try or()) } while take(",") || take(";")
      guard take(close) else { throw problem("a bracket is not closed") }
    }
    if name == "e" || name == "pi" {
      guard arguments.isEmpty else { throw problem(name + " takes nothing") }
      return .constant(name == "e" ? 2.718281828459045 : Double.pi)
    }
    guard let (function, allowed) = Expression.Function.named(name) else {
      throw problem(
        "there is no function " + name + nearestHint(to: name, among: Expression.Function.names))
    }
    guard allowed.contains(arguments.count) else {
      throw problem(name + " with " + String(arguments.count) + " arguments")
    }
    let numbers = arguments.compactMap { $0.constant }
    if numbers.count == arguments.count {
      return .constant(numbers.withUnsafeBufferPointer { function.value($0) })
    }
    return .call(function, arguments)
  }

  private mutating func number() throws(WorkpoolError) -> Double {
    let start = index
    while index < bytes.count, bytes[index] &- 48 < 10 || bytes[index] == UInt8(ascii: ".") {
      index += 1
    }
    if index < bytes.count, bytes[index] | 32 == UInt8(ascii: "e") {
      var end = index + 1
      if end < bytes.count, bytes[end] == UInt8(ascii: "-") || bytes[end] == UInt8(ascii: "+") {
        end += 1
      }
      if end < bytes.count, bytes[end] &- 48 < 10 {
        while end < bytes.count, bytes[end] &- 48 < 10 { end += 1 }
        index = end
      }
    }
    var number = 0.0
    let digits = bytes[start..<index].map { CChar(bitPattern: $0) } + [0]
    guard digits.withUnsafeBufferPointer({ wpl_parse_double($0.baseAddress, &number) }) == 1 else {
      throw problem("this is no number")
    }
    return number * suffix()
  }

  private mutating func suffix() -> Double {
    guard index < bytes.count else { return 1 }
    if bytes[index] == 0xc2, index + 1 < bytes.count, bytes[index + 1] == 0xb5 {
      index += 2
      return 1e-6
    }
    let factor: Double
    switch bytes[index] {
    case UInt8(ascii: "p"): factor = 1e-12
    case UInt8(ascii: "n"): factor = 1e-9
    case UInt8(ascii: "u"): factor = 1e-6
    case UInt8(ascii: "m"): factor = 1e-3
    case UInt8(ascii: "k"), UInt8(ascii: "K"): factor = 1e3
    case UInt8(ascii: "M"): factor = 1e6
    case UInt8(ascii: "G"): factor = 1e9
    case UInt8(ascii: "T"): factor = 1e12
    default: return 1
    }
    index += 1
    return factor
  }

  // MARK: Bytes

  private func isLetter(_ byte: UInt8) -> Bool {
    (byte | 32) &- 97 < 26 || byte == UInt8(ascii: "_")
  }

  private mutating func word() -> String {
    let start = index
    while index < bytes.count, isLetter(bytes[index]) || bytes[index] &- 48 < 10 { index += 1 }
    return String(decoding: bytes[start..<index], as: UTF8.self)
  }

  private mutating func skipBlanks() {
    while index < bytes.count, bytes[index] == 32 || bytes[index] &- 9 < 5 { index += 1 }
  }

  private mutating func take(_ sign: StaticString) -> Bool {
    skipBlanks()
    let size = sign.utf8CodeUnitCount
    guard bytes.count - index >= size else { return false }
    for offset in 0..<size where bytes[index + offset] != sign.utf8Start[offset] { return false }
    index += size
    return true
  }

  private mutating func takeWord(_ wanted: String) -> Bool {
    skipBlanks()
    let start = index
    if word() == wanted { return true }
    index = start
    return false
  }

  private func problem(_ message: String) -> WorkpoolError {
    WorkpoolError(
      .invalidArgument, "\"" + text + "\": " + message + ", at byte " + String(index + 1))
  }
}
