// SPDX-License-Identifier: MIT
import CWorkpool
import Workpool

/// The keys of a step as the library has them.
func stepParameters(
  _ pointer: UnsafePointer<wp_param>?, _ count: Int
) throws(WorkpoolError) -> [StepParameter] {
  guard 0...1000 ~= count, count == 0 || pointer != nil else {
    throw invalid("there are no parameters")
  }
  var parameters: [StepParameter] = []
  for index in 0..<count {
    guard let param = pointer?[index] else { break }
    let key = try text(param.key, "key")
    parameters.append(StepParameter(key, try value(param, key)))
  }
  return parameters
}

private func value(_ param: wp_param, _ key: String) throws(WorkpoolError) -> StepValue {
  switch param.type {
  case WP_PARAM_INT: return .int(Int(param.integer))
  case WP_PARAM_DOUBLE: return .double(param.number)
  case WP_PARAM_BOOL:
    guard 0...1 ~= param.integer else { throw invalid("a bool is 0 or 1") }
    return .bool(param.integer == 1)
  case WP_PARAM_TEXT: return .text(try text(param.text, "text"))
  case WP_PARAM_TEXTS:
    guard param.count > 0 else { return .list([]) }
    var list: [StepValue] = []
    for one in try texts(param.texts, Int(param.count), "texts") { list.append(.text(one)) }
    return .list(list)
  case WP_PARAM_TOML:
    guard let value = try StepParser.value(text(param.text, "text")) else {
      throw invalid("a value is no TOML")
    }
    return value
  default: throw invalid("a parameter has no such type")
  }
}
