// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Looks texts up among the barcodes of a section.
final class BarcodeMatcher {
  let sequences: [[UInt8]]
  private var table = ByteTable()
  /// Where a barcode is ambiguous: all of them. Else there may be very many.
  private var patterns: [Pattern] = []

  /// What an array can hold of a pattern.
  private final class Pattern {
    let barcode: Int
    let pattern: BasePattern
    init(_ barcode: Int, _ pattern: consuming BasePattern) {
      self.barcode = barcode
      self.pattern = pattern
    }
  }

  init(_ section: BarcodeSection) throws(WorkpoolError) {
    sequences = section.barcodes.map { Array($0.sequence.utf8) }
    for sequence in sequences {
      var failure: WorkpoolError?
      sequence.withUnsafeBufferPointer { bytes in
        guard let start = bytes.baseAddress else { return }
        do throws(WorkpoolError) { _ = try table.add(start, bytes.count) } catch { failure = error }
      }
      if let failure { throw failure }
    }
    let isAmbiguous = sequences.contains { sequence in
      sequence.contains { !IUPAC.isBase($0) && $0 != UInt8(ascii: "_") }
    }
    guard isAmbiguous else { return }
    for (index, sequence) in sequences.enumerated() {
      patterns.append(Pattern(index, try BasePattern(sequence)))
    }
  }

  /// Number of the barcode that the text is.
  func exact(_ text: UnsafePointer<UInt8>, _ size: Int) -> Int? { table.number(of: text, size) }

  /// Number of the first barcode that the text fits, in either letter case.
  func fitting(_ text: UnsafePointer<UInt8>, _ size: Int) -> Int? {
    if patterns.isEmpty { return exactUpperCase(text, size) }
    for pattern in patterns
    where pattern.pattern.count == size && pattern.pattern.distance(to: text, limit: 0) == 0 {
      return pattern.barcode
    }
    return nil
  }

  private func exactUpperCase(_ text: UnsafePointer<UInt8>, _ size: Int) -> Int? {
    guard (0..<size).contains(where: { text[$0] >= 97 }) else { return nil }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(size, 1)) { upper in
      guard let start = upper.baseAddress else { return nil }
      for index in 0..<size {
        let byte = text[index]
        start[index] = byte >= 97 && IUPAC.isBase(byte & 0xdf) ? byte & 0xdf : byte
      }
      return exact(start, size)
    }
  }

  /// Number of the first barcode within a Hamming distance: of bytes, unless a barcode is ambiguous.
  func nearest(_ text: UnsafePointer<UInt8>, _ size: Int, within limit: Int) -> Int? {
    if !patterns.isEmpty {
      return patterns.first {
        $0.pattern.count == size && $0.pattern.distance(to: text, limit: limit) <= limit
      }?.barcode
    }
    return sequences.firstIndex { sequence in
      guard sequence.count == size else { return false }
      var different = 0
      for index in 0..<size where sequence[index] != text[index] { different += 1 }
      return different <= limit
    }
  }
}
