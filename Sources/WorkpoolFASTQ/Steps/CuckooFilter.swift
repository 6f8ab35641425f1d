// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// An approximate set of hashes: what was added is always found, and something else is with a small
/// probability.
///
/// A row of cuckoo filters (Fan et al., "Cuckoo Filter: Practically Better Than Bloom", CoNEXT 2014),
/// each for twice as many items at half the rate (Almeida et al., "Scalable Bloom Filters", 2007). A
/// fingerprint lies in one of two buckets of four slots. What finds no place after 512 moves is kept as
/// an exception, and the next filter begins.
///
/// All is reproducible to the bit: the same items in the same order give the same answers.
final class CuckooFilter {
  /// A fingerprint that is in no slot, by the lower one of its buckets.
  private struct Exception: Equatable {
    var fingerprint: UInt64
    var bucket: UInt64
  }

  /// One filter of the row.
  private final class Part {
    let bits: Int
    let mask: UInt64
    /// Bytes of a slot.
    let width: Int
    let slots: UnsafeMutableRawPointer
    var exceptions: [Exception] = []

    init(capacity: Int, rate: Double, number: Int) throws(WorkpoolError) {
      let scale = 1 << (number + 1)
      bits = min(64, Int((log2(Double(scale) / rate) + 3).rounded(.up)))
      let wanted = (capacity << number).dividedUp(by: 4)
      var buckets = 1
      while buckets < wanted { buckets <<= 1 }
      mask = UInt64(buckets - 1)
      width = bits <= 16 ? 2 : bits <= 32 ? 4 : 8
      guard let slots = wpl_allocate_zeroed(buckets * 4 * width) else {
        throw WorkpoolError(.noMemory, "out of memory for a filter of \(capacity << number) items")
      }
      self.slots = slots
    }

    deinit { wpl_free(slots) }

    var slotCount: Int { 4 * Int(mask + 1) }

    @inline(__always)
    subscript(bucket: UInt64, slot: Int) -> UInt64 {
      get {
        let place = slots + (Int(bucket) * 4 + slot) * width
        return switch width {
        case 2: UInt64(place.load(as: UInt16.self))
        case 4: UInt64(place.load(as: UInt32.self))
        default: place.load(as: UInt64.self)
        }
      }
      set {
        let place = slots + (Int(bucket) * 4 + slot) * width
        switch width {
        case 2: place.storeBytes(of: UInt16(truncatingIfNeeded: newValue), as: UInt16.self)
        case 4: place.storeBytes(of: UInt32(truncatingIfNeeded: newValue), as: UInt32.self)
        default: place.storeBytes(of: newValue, as: UInt64.self)
        }
      }
    }

    func fingerprint(_ hash: UInt64) -> UInt64 { hash >> UInt64(64 - bits) }

    func other(_ bucket: UInt64, _ fingerprint: UInt64) -> UInt64 {
      var hasher = SipHash13()
      hasher.add(fingerprint)
      return (bucket ^ hasher.finish()) & mask
    }

    func contains(_ hash: UInt64) -> Bool {
      let fingerprint = fingerprint(hash)
      let one = hash & mask
      let two = other(one, fingerprint)
      if fingerprint != 0 {
        for slot in 0..<4 where self[one, slot] == fingerprint || self[two, slot] == fingerprint {
          return true
        }
      }
      return exceptions.contains(Exception(fingerprint: fingerprint, bucket: min(one, two)))
    }

    func put(_ fingerprint: UInt64, into bucket: UInt64) -> Bool {
      for slot in 0..<4 where self[bucket, slot] == 0 {
        self[bucket, slot] = fingerprint
        return true
      }
      return false
    }

    /// - Returns: whether the filter is full now.
    func insert(_ hash: UInt64, _ random: inout ChaCha20) -> Bool {
      var fingerprint = fingerprint(hash)
      let one = hash & mask
      let two = other(one, fingerprint)
      if fingerprint == 0 {
        exceptions.append(Exception(fingerprint: 0, bucket: min(one, two)))
        return false
      }
      if put(fingerprint, into: one) || put(fingerprint, into: two) { return false }
      var bucket = random.next32() >> 31 == 1 ? one : two
      var previous = bucket
      for _ in 0..<512 {
        let slot = Int(random.uniform(0, 3))
        (self[bucket, slot], fingerprint) = (fingerprint, self[bucket, slot])
        previous = bucket
        bucket = other(bucket, fingerprint)
        if put(fingerprint, into: bucket) { return false }
      }
      exceptions.append(Exception(fingerprint: fingerprint, bucket: min(previous, bucket)))
      return true
    }
  }

  private let capacity: Int
  private let rate: Double
  private var random: ChaCha20
  private var parts: [Part] = []

  /// - Parameters:
  ///   - capacity: items that the first filter has room for, at least 1.
  ///   - rate: of false answers, between 0 and 1.
  init(capacity: Int, rate: Double, seed: UInt64) throws(WorkpoolError) {
    self.capacity = capacity
    self.rate = rate
    random = ChaCha20(seed: seed)
    parts.append(try Part(capacity: capacity, rate: rate, number: 0))
  }

  /// Slots and exceptions.
  var size: Int { parts.reduce(0) { $0 + $1.slotCount + $1.exceptions.count } }

  func contains(_ hash: UInt64) -> Bool { parts.contains { $0.contains(hash) } }

  func insert(_ hash: UInt64) throws(WorkpoolError) {
    if parts[parts.count - 1].insert(hash, &random) {
      parts.append(try Part(capacity: capacity, rate: rate, number: parts.count))
    }
  }

  /// Whether the item was there; it is afterwards.
  func seen(_ hash: UInt64) throws(WorkpoolError) -> Bool {
    if contains(hash) { return true }
    try insert(hash)
    return false
  }
}

extension Int {
  fileprivate func dividedUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
