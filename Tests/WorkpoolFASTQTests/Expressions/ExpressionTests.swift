// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct ExpressionTests {
  private func value(_ text: String, _ names: [String: Double] = [:]) throws -> Double {
    let expression = try Expression(text)
    let values = expression.names.map { names[$0] ?? .nan }
    return values.withUnsafeBufferPointer { values in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: expression.stackSize) { stack in
        expression.value(
          values.baseAddress ?? UnsafePointer(stack.baseAddress!), stack: stack.baseAddress!)
      }
    }
  }

  @Test(
    "binding, functions, suffixes",
    arguments: [
      ("1 + 2 * 3", 7.0), ("2 ^ 3 ^ 2", 512), ("-2 ^ 2", 4), ("7 % 4 * 2", 6), ("10 - 2 - 3", 5),
      ("12 / 2 / 3", 2), ("10 - 2 + 3", 11), ("[1 + 2] * (3)", 9), ("1 < 2 == 1", 1),
      ("1 && 2", 2), ("0 or 3", 3), ("0 && 1 || 2", 2), ("!3", 0), ("!0", 1), ("1.5k", 1500),
      ("2m", 0.002), (".5", 0.5), ("1e-3", 0.001), ("3µ", 3e-6), ("round(2.5)", 3),
      ("round(0.25, 1.1)", 1), ("round(-2.5)", -3), ("int(-2.7)", -2), ("log(100)", 2),
      ("log(2, 8)", 3),
      ("min(3; 1, 2)", 1), ("max(3, 1)", 3), ("sign(0)", 1), ("abs(-1)", 1), ("floor(-0.5)", -1),
      ("ceil(0.5)", 1), ("pi() > e()", 1), ("sin(0) + cos(0)", 1), ("x * x + y", 14),
      ("1 - x / 4 * y", -2.75), ("0.1 + 0.2 == 0.3", 1), ("x != 3", 0),
    ])
  func values(text: String, expected: Double) throws {
    let result = try value(text, ["x": 3, "y": 5])
    #expect(abs(result - expected) < 1e-12, "\(text) = \(result)")
  }

  @Test("NaN stays NaN in min and max")
  func nan() throws {
    #expect(try value("min(1, 0 / 0)").isNaN)
    #expect(try value("max(x, 2)", ["x": .nan]).isNaN)
  }

  @Test(
    "what is no formula",
    arguments: ["", "1 +", "(1", "1)", "foo(1)", "log()", "1 $ 2", "print(1)", "a b", "e(1)"])
  func refused(text: String) { #expect(errorText { try Expression(text) } != "no error") }

  @Test("nesting has a limit")
  func deep() {
    let text = String(repeating: "(", count: 10_000) + "1"
    #expect(errorText { try Expression(text) }.contains("too deeply nested"))
    #expect(
      errorText { try Expression(String(repeating: "-", count: 10_000) + "1") }.contains("deeply"))
    #expect(
      errorText { try Expression("1" + String(repeating: "^1", count: 10_000)) }.contains("deeply"))
  }
}
