// SPDX-License-Identifier: MIT
import Glibc

/// One program with all targets: `WORKPOOL_FUZZ_TARGET=unpack workpool-fuzz corpus/unpack`. libFuzzer
/// looks for inputs that crash, hang, run into a sanitizer, or break what a target promises: then it
/// traps with a message. See `make fuzz`.
enum Fuzz {
  static let targets: [String: @Sendable (UnsafeRawBufferPointer) -> Void] = [
    "unpack": { unpack($0) }, "seek": { seek($0) }, "cut": { cut($0) }, "fastq": { fastq($0) },
    "steps": { steps($0) }, "pack": { pack($0) }, "expression": { expression($0) },
    "replacement": { replacement($0) },
  ]

  static let target: @Sendable (UnsafeRawBufferPointer) -> Void = {
    let name = getenv("WORKPOOL_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = targets[name] else {
      fatalError("WORKPOOL_FUZZ_TARGET must be one of \(targets.keys.sorted())")
    }
    return target
  }()

  static func check(_ holds: Bool, _ promise: @autoclosure () -> String) {
    if !holds { fatalError("broken promise: \(promise())") }
  }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  Fuzz.target(UnsafeRawBufferPointer(start: bytes, count: count))
  return 0
}

// The package manager gives the entry point another name than libFuzzer expects.
@_extern(c, "LLVMFuzzerRunDriver")
func runFuzzer(
  _ count: UnsafeMutablePointer<CInt>,
  _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@_cdecl("workpool_fuzz_main")
public func main(
  _ count: CInt, _ words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
  var (count, words) = (count, words)
  return runFuzzer(&count, &words) { testOneInput($0, $1) }
}
