// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Workpool

/// Handles are retained references seen as opaque pointers; this is the only place that casts them.
enum Handle {
  static func make<T: AnyObject>(_ object: T) -> OpaquePointer {
    OpaquePointer(Unmanaged.passRetained(object).toOpaque())
  }
  static func destroy<T: AnyObject>(_ handle: OpaquePointer, _ type: T.Type) {
    Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).release()
  }
}

extension OpaquePointer {
  var pool: Pool { object() }
  var token: Token { object() }
  var pipeline: Pipeline { object() }

  func object<T: AnyObject>() -> T {
    Unmanaged<T>.fromOpaque(UnsafeRawPointer(self)).takeUnretainedValue()
  }
}

/// Runs the body of an export: maps a thrown error to its status and keeps its text for this thread.
func border(_ body: () throws(WorkpoolError) -> Status) -> Int32 {
  do throws(WorkpoolError) {
    return report(try body())
  } catch {
    return report(error)
  }
}

/// Keeps the text of a status that is an error.
func report(_ status: Status) -> Int32 {
  if status.isError { remember(status.rawValue, "\(status.text)") }
  return status.rawValue
}

func report(_ error: WorkpoolError) -> Int32 {
  remember(error.status.rawValue, error.text, error.systemError)
  return error.status.rawValue
}

private func remember(_ code: Int32, _ text: String, _ systemError: Int32 = 0) {
  var text = text
  text.withUTF8 { bytes in
    bytes.withMemoryRebound(to: CChar.self) {
      wpl_set_last_error(code, systemError, $0.baseAddress, $0.count)
    }
  }
}

func invalid(_ what: String) -> WorkpoolError { WorkpoolError(.invalidArgument, what) }

/// The object behind a handle; NULL is an invalid argument.
func required(_ handle: OpaquePointer?, _ what: StaticString) throws(WorkpoolError) -> OpaquePointer
{
  guard let handle else { throw invalid("\(what) is NULL") }
  return handle
}

/// Reads an options struct: NULL gives the defaults, and `struct_size` must be one that this library
/// knows.
func read<T>(_ pointer: UnsafePointer<T>?, _ defaults: T) throws(WorkpoolError) -> T {
  guard let pointer else { return defaults }
  let size = UnsafeRawPointer(pointer).loadUnaligned(as: UInt32.self)
  guard size == MemoryLayout<T>.size else {
    throw invalid("struct_size is \(size), expected \(MemoryLayout<T>.size)")
  }
  return pointer.pointee
}

/// Checks the `struct_size` of a struct that the library fills.
func checkSize<T>(_ pointer: UnsafeMutablePointer<T>?) throws(WorkpoolError)
  -> UnsafeMutablePointer<T>
{
  guard let pointer else { throw invalid("the struct to fill is NULL") }
  let size = UnsafeRawPointer(pointer).loadUnaligned(as: UInt32.self)
  guard size == MemoryLayout<T>.size else {
    throw invalid("struct_size is \(size), expected \(MemoryLayout<T>.size)")
  }
  return pointer
}

func checkFlags(_ flags: UInt32, known: UInt32) throws(WorkpoolError) {
  guard flags & ~known == 0 else { throw invalid("unknown flags \(flags & ~known)") }
}

/// Copies text into a fixed C array, with a NUL at its end.
func copy(_ text: String, into room: UnsafeMutableRawBufferPointer) {
  var text = text
  text.withUTF8 { bytes in
    let count = min(bytes.count, room.count - 1)
    room.copyBytes(from: bytes.prefix(count))
    room[count] = 0
  }
}

/// Gives lines of text away, with their line feeds and NUL-ended, until `take` returns something else
/// than 0.
/// - Returns: whether it has got all of them.
func eachLine(of text: String, _ take: (UnsafePointer<CChar>, Int) -> Int32) -> Bool {
  var line: [CChar] = []
  for byte in text.utf8 {
    line.append(CChar(bitPattern: byte))
    guard byte == 10 else { continue }
    line.append(0)
    if take(line, line.count - 1) != 0 { return false }
    line.removeAll(keepingCapacity: true)
  }
  return true
}

/// A handle of a parent process must not be touched.
func checkFork(_ pool: Pool) throws(WorkpoolError) { try checkFork(pool.forkGeneration) }

/// The token behind a handle, if it belongs to this process; nil for NULL.
func checkedToken(_ handle: OpaquePointer?) throws(WorkpoolError) -> Token? {
  guard let token = handle?.token else { return nil }
  try checkFork(token.forkGeneration)
  return token
}

func isOfThisProcess(_ pool: Pool) -> Bool { pool.forkGeneration == wpl_fork_generation() }

func checkFork(_ generation: UInt32) throws(WorkpoolError) {
  guard generation == wpl_fork_generation() else {
    throw WorkpoolError(.forked, "the handle belongs to the parent process")
  }
}

/// Calls a function when nobody holds it any more.
final class Destroyer {
  private let context: UnsafeMutableRawPointer?
  private let destroy: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?

  init(
    _ context: UnsafeMutableRawPointer?,
    _ destroy: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
  ) {
    self.context = context
    self.destroy = destroy
  }
  /// A call that failed has kept nothing.
  var isArmed = false
  deinit { if isArmed { destroy?(context) } }
}
