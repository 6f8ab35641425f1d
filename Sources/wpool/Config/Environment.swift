// SPDX-License-Identifier: MIT
import ArgumentParser
import Glibc

enum Environment {
  /// The option, or else the value of the variable that stands in for it, if that is set and not
  /// empty.
  static func value<Value: ExpressibleByArgument>(
    _ option: Value?, or name: String
  ) throws(Failure) -> Value? {
    if let option { return option }
    guard let pointer = getenv(name) else { return nil }
    let text = String(cString: pointer)
    if text.isEmpty { return nil }
    if let value = Value(argument: text) { return value }
    throw .usage("the environment's \(name)=\(text) is not valid")
  }
}
