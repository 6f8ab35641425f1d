// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore
import WorkpoolIO

/// Reads names and sequences of a BAM file (SAM specification §4.2), one record after the other.
struct BAMRecords: ~Copyable {
  private static let mostBytes = 1 << 30
  private static let letters = Array("=ACMGRSVTWYHKDBN".utf8)

  private let reader: CompressedReader
  private let path: String
  private var bytes = GrowableMemory<UInt8>()
  private var sequence = GrowableMemory<UInt8>()

  init(_ reader: CompressedReader, path: String) throws(WorkpoolError) {
    self.reader = reader
    self.path = path
    guard try read(4) else { throw damaged() }
    try skip(try number())
    for _ in 0..<(try number()) {
      try skip(try number())
      _ = try number()
    }
  }

  /// Shows each record, and whether it is mapped: whether it has a reference.
  mutating func each(
    _ visit: (Bool, UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) throws(WorkpoolError) ->
      Void
  ) throws(WorkpoolError) {
    while try read(4, mayEnd: true) {
      let size = try number(at: 0)
      guard size >= 32, try read(size) else { throw damaged() }
      let nameSize = Int(bytes.start[8])
      let operations = Int(bytes.start[12]) | Int(bytes.start[13]) << 8
      let length = try number(at: 16)
      let start = 32 + nameSize + 4 * operations
      guard nameSize > 0, length <= Self.mostBytes, start + (length + 1) / 2 <= size else {
        throw damaged()
      }
      try sequence.resize(length)
      for index in 0..<length {
        let pair = bytes.start[start + index / 2]
        sequence.start[index] = Self.letters[Int(index & 1 == 0 ? pair >> 4 : pair & 15)]
      }
      let reference = Int32(truncatingIfNeeded: signed(at: 0))
      try visit(
        reference >= 0, UnsafeBufferPointer(start: bytes.start + 32, count: nameSize - 1),
        UnsafeBufferPointer(start: sequence.start, count: length))
    }
  }

  // MARK: Bytes

  /// - Returns: false at the end of the file, where that may come.
  private mutating func read(_ size: Int, mayEnd: Bool = false) throws(WorkpoolError) -> Bool {
    guard size <= Self.mostBytes else { throw damaged() }
    try bytes.resize(size)
    var done = 0
    while done < size {
      let count = try reader.read(
        into: UnsafeMutableRawBufferPointer(start: bytes.start + done, count: size - done))
      if count == 0 {
        if done == 0 && mayEnd { return false }
        throw damaged()
      }
      done += count
    }
    return true
  }

  private mutating func skip(_ size: Int) throws(WorkpoolError) {
    var rest = size
    while rest > 0 {
      let piece = min(rest, 1 << 20)
      guard try read(piece) else { throw damaged() }
      rest -= piece
    }
  }

  private mutating func number() throws(WorkpoolError) -> Int {
    guard try read(4) else { throw damaged() }
    return try number(at: 0)
  }

  private func number(at place: Int) throws(WorkpoolError) -> Int {
    let number = signed(at: place)
    guard number >= 0 else { throw damaged() }
    return number
  }

  private func signed(at place: Int) -> Int {
    let word = UnsafeRawPointer(bytes.start + place).loadUnaligned(as: UInt32.self)
    return Int(Int32(bitPattern: UInt32(littleEndian: word)))
  }

  private func damaged() -> WorkpoolError {
    WorkpoolError(.truncatedInput, "the BAM data is damaged or cut", path: path)
  }
}
