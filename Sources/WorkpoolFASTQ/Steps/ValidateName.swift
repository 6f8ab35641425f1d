// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Fails unless, for each read looked at, all names are equal; with `readname_end_char` up to the
/// first such byte, which every name must have. An empty name fails too.
final class ValidateName: SampledNames {
  static var description: StepDescription {
    StepDescription(
      "ValidateName", "fail where names of a read set differ", kind: .serial,
      keys: [StepKey("readname_end_char", .byte(0...255), isRequired: false), strideKey],
      minSegments: 2,
      make: { arguments throws(WorkpoolError) in try ValidateName(arguments) })
  }

  private let endCharacter: UInt8?

  override init(_ arguments: StepArguments) throws(WorkpoolError) {
    endCharacter =
      arguments.has("readname_end_char") ? arguments.byte("readname_end_char") : nil
    try super.init(arguments)
  }

  override func mismatch(
    _ first: UnsafeBufferPointer<UInt8>, _ name: UnsafeBufferPointer<UInt8>
  ) -> String? {
    guard !name.isEmpty else { return "the name is empty" }
    var (firstSize, size) = (first.count, name.count)
    if let endCharacter {
      guard let end = name.firstIndex(of: endCharacter) else {
        return "the name does not contain readname_end_char " + visibleByte(endCharacter)
      }
      // The first segment's name was looked at before, so the byte is there.
      (firstSize, size) = (first.firstIndex(of: endCharacter) ?? first.count, end)
    }
    let isEqual = firstSize == size && (0..<size).allSatisfy { first[$0] == name[$0] }
    return isEqual ? nil : "the name differs"
  }
}
