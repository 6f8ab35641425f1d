// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// A canonical prefix code (RFC 1951 §3.2.2) for what has been counted, with codes of limited length.
struct HuffmanCode: ~Copyable {
  /// A code, its first bit lowest.
  struct Word {
    var value: UInt16
    private var size: UInt16

    @inline(__always)
    init(value: UInt16, bits: Int) {
      self.value = value
      size = UInt16(bits)
    }

    @inline(__always)
    var bits: Int { Int(size) }
  }

  let symbolCount: Int
  private let longest: Int
  private let memory: UnsafeMutableRawPointer
  /// For each symbol; kept by whoever counts.
  let counts: UnsafeMutablePointer<UInt32>
  /// For each symbol, after `build`; of those not counted, no bits.
  let codes: UnsafeMutablePointer<Word>
  /// Symbols that occur, seldom ones first, below their count.
  private let order: UnsafeMutablePointer<UInt64>
  private let depths: UnsafeMutablePointer<UInt32>

  init(symbols: Int, longest: Int) throws(WorkpoolError) {
    guard let memory = wpl_allocate_zeroed(symbols * (8 + 4 + 4 + 4)) else {
      throw WorkpoolError(.noMemory, "no memory to pack")
    }
    self.memory = memory
    symbolCount = symbols
    self.longest = longest
    order = memory.bindMemory(to: UInt64.self, capacity: symbols)
    counts = (memory + symbols * 8).bindMemory(to: UInt32.self, capacity: symbols)
    depths = counts + symbols
    codes = (memory + symbols * 16).bindMemory(to: Word.self, capacity: symbols)
  }

  deinit { wpl_free(memory) }

  func clearCounts() { memset(counts, 0, symbolCount * 4) }

  var usedCount: Int {
    var used = 0
    for symbol in 0..<symbolCount where counts[symbol] > 0 { used += 1 }
    return used
  }

  /// Bits of all that was counted.
  var bits: Int {
    var bits = 0
    for symbol in 0..<symbolCount { bits += Int(counts[symbol]) * codes[symbol].bits }
    return bits
  }

  /// Makes the codes.
  func build() {
    let used = sort()
    for symbol in 0..<symbolCount { codes[symbol] = Word(value: 0, bits: 0) }
    guard used > 1 else {
      if used == 1 { codes[Int(order[0] & 0xffff)] = Word(value: 0, bits: 1) }
      return
    }
    findDepths(used)
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 2 * (longest + 2)) { room in
      guard let ofLength = room.baseAddress else { return }
      assign(used, ofLength, ofLength + longest + 2)
    }
  }

  private func sort() -> Int {
    var used = 0
    for symbol in 0..<symbolCount where counts[symbol] > 0 {
      let entry = UInt64(counts[symbol]) << 16 | UInt64(symbol)
      var at = used
      while at > 0 && order[at - 1] > entry {
        order[at] = order[at - 1]
        at -= 1
      }
      order[at] = entry
      used += 1
    }
    return used
  }

  /// How deep each symbol of `order` lies in the best tree, without a limit (A. Moffat and
  /// J. Katajainen, In-place calculation of minimum-redundancy codes, 1995).
  private func findDepths(_ used: Int) {
    for index in 0..<used { depths[index] = UInt32(order[index] >> 16) }
    // Sums of pairs, each followed by its parent.
    var (leaf, root) = (0, 0)
    for next in 0..<used - 1 {
      var sum: UInt32 = 0
      for _ in 0..<2 {
        if leaf >= used || (root < next && depths[root] < depths[leaf]) {
          sum += depths[root]
          depths[root] = UInt32(next)
          root += 1
        } else {
          sum += depths[leaf]
          leaf += 1
        }
      }
      depths[next] = sum
    }
    // Depths of the inner nodes.
    depths[used - 2] = 0
    for next in stride(from: used - 3, through: 0, by: -1) {
      depths[next] = depths[Int(depths[next])] + 1
    }
    // Depths of the leaves.
    var (available, inner, depth) = (1, 0, UInt32(0))
    var node = used - 2
    var next = used - 1
    while available > 0 {
      while node >= 0 && depths[node] == depth {
        inner += 1
        node -= 1
      }
      while available > inner {
        depths[next] = depth
        next -= 1
        available -= 1
      }
      available = 2 * inner
      depth += 1
      inner = 0
    }
  }

  /// Cuts depths to the limit, and gives each symbol the next code of its length.
  private func assign(
    _ used: Int, _ ofLength: UnsafeMutablePointer<UInt32>, _ next: UnsafeMutablePointer<UInt32>
  ) {
    for length in 0...longest + 1 { ofLength[length] = 0 }
    for index in 0..<used { ofLength[min(Int(depths[index]), longest)] += 1 }
    // Too many of the longest: one of them becomes the sibling of a shorter code that goes one down.
    var sum = 0
    for length in 1...longest { sum += Int(ofLength[length]) << (longest - length) }
    while sum > 1 << longest {
      var length = longest - 1
      while ofLength[length] == 0 { length -= 1 }
      ofLength[length] -= 1
      ofLength[length + 1] += 2
      ofLength[longest] -= 1
      sum -= 1
    }
    var index = 0
    for length in stride(from: longest, to: 0, by: -1) {
      for _ in 0..<ofLength[length] {
        codes[Int(order[index] & 0xffff)] = Word(value: 0, bits: length)
        index += 1
      }
    }
    next[0] = 0
    next[1] = 0
    if longest > 1 {
      for length in 2...longest { next[length] = (next[length - 1] + ofLength[length - 1]) << 1 }
    }
    for symbol in 0..<symbolCount where codes[symbol].bits > 0 {
      let length = codes[symbol].bits
      var (value, reversed) = (next[length], UInt16(0))
      next[length] += 1
      for _ in 0..<length {
        reversed = reversed << 1 | UInt16(value & 1)
        value >>= 1
      }
      codes[symbol] = Word(value: reversed, bits: length)
    }
  }
}
