// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A formula over the tags of a read, in the language of fasteval 0.2.4: parsed once, then worked
/// out for each read as a row of operations on a stack, without allocation.
struct Expression: Equatable, Sendable {
  enum Function: Equatable, Sendable {
    case int, ceil, floor, abs, sign, log, round, min, max
    case sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh
  }

  enum Operation: Equatable, Sendable {
    case constant(Double)
    /// Number of the name.
    case variable(Int)
    case add, multiply, modulo, power
    case negate, reciprocal, not
    case equal, unequal, less, lessOrEqual, greater, greaterOrEqual
    case and, or
    case call(Function, arguments: Int)
  }

  /// What a name stands for.
  enum Variable: Equatable {
    case tag(TagReference)
    case lengthOfSegment(Int)
    case lengthOfTag(TagReference)
    case readNumber
  }

  let operations: [Operation]
  /// Names in the order in which they first appear.
  let names: [String]
  let stackSize: Int
  var variables: [Variable] = []

  /// - Throws: `invalidArgument` with what is wrong and where.
  init(_ text: String) throws(WorkpoolError) {
    var parser = ExpressionParser(text)
    let root = try parser.parse()
    var operations: [Operation] = []
    root.emit(&operations)
    self.operations = operations
    names = parser.names
    var (depth, deepest) = (0, 1)
    for operation in operations {
      depth += operation.growth
      deepest = Swift.max(deepest, depth)
    }
    stackSize = deepest
  }

  static func == (one: Self, other: Self) -> Bool {
    one.operations == other.operations && one.names == other.names
  }

  /// - Parameters:
  ///   - values: one for each name.
  ///   - stack: room for `stackSize` numbers.
  func value(
    _ values: UnsafePointer<Double>, stack: UnsafeMutablePointer<Double>
  ) -> Double {
    operations.withUnsafeBufferPointer { operations in
      var top = -1
      for operation in operations {
        switch operation {
        case .constant(let number):
          top += 1
          stack[top] = number
        case .variable(let index):
          top += 1
          stack[top] = values[index]
        case .call(let function, let count):
          top -= count - 1
          stack[top] = function.value(UnsafeBufferPointer(start: stack + top, count: count))
        case .negate, .reciprocal, .not:
          stack[top] = operation.value(stack[top], 0)
        default:
          top -= 1
          stack[top] = operation.value(stack[top], stack[top + 1])
        }
      }
      return stack[0]
    }
  }

  /// Closer numbers count as equal.
  private static let tolerance = 8 * 0x1p-52

  static func isEqual(_ one: Double, _ other: Double) -> Bool {
    (one - other).magnitude <= tolerance
  }
}

extension Expression.Operation {
  /// How much longer the stack is after it.
  var growth: Int {
    switch self {
    case .constant, .variable: 1
    case .negate, .reciprocal, .not: 0
    case .call(_, let count): 1 - count
    default: -1
    }
  }

  @inline(__always)
  func value(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .add: a + b
    case .multiply: a * b
    case .modulo: fmod(a, b)
    case .power: pow(a, b)
    case .negate: -a
    case .reciprocal: 1 / a
    case .not: Expression.isEqual(a, 0) ? 1 : 0
    case .equal: Expression.isEqual(a, b) ? 1 : 0
    case .unequal: Expression.isEqual(a, b) ? 0 : 1
    case .less: a < b ? 1 : 0
    case .lessOrEqual: a <= b ? 1 : 0
    case .greater: a > b ? 1 : 0
    case .greaterOrEqual: a >= b ? 1 : 0
    case .and: Expression.isEqual(a, 0) ? a : b
    case .or: Expression.isEqual(a, 0) ? b : a
    case .constant(let number): number
    case .variable, .call: preconditionFailure("is worked out by the caller")
    }
  }
}

extension Expression.Function {
  static func named(_ name: String) -> (function: Self, arguments: ClosedRange<Int>)? {
    switch name {
    case "int": (.int, 1...1)
    case "ceil": (.ceil, 1...1)
    case "floor": (.floor, 1...1)
    case "abs": (.abs, 1...1)
    case "sign": (.sign, 1...1)
    case "log": (.log, 1...2)
    case "round": (.round, 1...2)
    case "min": (.min, 1...Int.max)
    case "max": (.max, 1...Int.max)
    case "sin": (.sin, 1...1)
    case "cos": (.cos, 1...1)
    case "tan": (.tan, 1...1)
    case "asin": (.asin, 1...1)
    case "acos": (.acos, 1...1)
    case "atan": (.atan, 1...1)
    case "sinh": (.sinh, 1...1)
    case "cosh": (.cosh, 1...1)
    case "tanh": (.tanh, 1...1)
    case "asinh": (.asinh, 1...1)
    case "acosh": (.acosh, 1...1)
    case "atanh": (.atanh, 1...1)
    default: nil
    }
  }

  static let names = [
    "int", "ceil", "floor", "abs", "sign", "log", "round", "min", "max", "e", "pi", "sin", "cos",
    "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
  ]

  func value(_ arguments: UnsafeBufferPointer<Double>) -> Double {
    let x = arguments[0]
    switch self {
    case .int: return x.rounded(.towardZero)
    case .ceil: return x.rounded(.up)
    case .floor: return x.rounded(.down)
    case .abs: return x.magnitude
    case .sign: return x.isNaN ? x : x.sign == .minus ? -1 : 1
    case .log:
      let base = arguments.count == 2 ? x : 10
      let number = arguments[arguments.count - 1]
      if Expression.isEqual(base, 2) { return logarithm(number, base: 2) }
      if Expression.isEqual(base, 10) { return logarithm(number, base: 10) }
      return logarithm(number, base: base)
    case .round:
      guard arguments.count == 2 else { return x.rounded(.toNearestOrAwayFromZero) }
      return (arguments[1] / x).rounded(.toNearestOrAwayFromZero) * x
    case .min, .max:
      var best = x
      for number in arguments.dropFirst() {
        if best.isNaN || number.isNaN {
          best = .nan
        } else if self == .min ? number < best : number > best {
          best = number
        }
      }
      return best
    default: return curve(self, x)
    }
  }
}

// Outside the enumeration, whose cases have the names of these functions.

private func logarithm(_ number: Double, base: Double) -> Double {
  base == 2 ? log2(number) : base == 10 ? log10(number) : log(number) / log(base)
}

private func curve(_ function: Expression.Function, _ x: Double) -> Double {
  switch function {
  case .sin: sin(x)
  case .cos: cos(x)
  case .tan: tan(x)
  case .asin: asin(x)
  case .acos: acos(x)
  case .atan: atan(x)
  case .sinh: sinh(x)
  case .cosh: cosh(x)
  case .tanh: tanh(x)
  case .asinh: asinh(x)
  case .acosh: acosh(x)
  case .atanh: atanh(x)
  default: preconditionFailure("is worked out elsewhere")
  }
}
