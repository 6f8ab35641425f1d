// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

// FASTQ as deflate, by what is known of its lines, and in one pass over most of its bytes:
//
// - A name repeats the one before it, field by field; only its numbers are new.
// - A sequence has few repeats within 32 KiB. Four bases at a time are one of 256 words, counted and
//   written as such. Repeats are looked for at every fourth base, 16 bases at least.
// - Binned qualities are runs with a few other letters between them. Where one run ends and which
//   letters follow is the key by which earlier places are found; a repeat begins as far before that
//   place as is left of the present run. So one code stands for the rest of a run, the letters behind
//   it and the next run, and nobody looks through thousands of equal F's.
//
// Measured on one core with slices of 65,280 bytes of FASTQ with three bins of quality: .188 of the size
// at 370 MB/s, where libdeflate's level 1 makes .212 at 249 MB/s and no level comes to .188. The number of
// places tried: 1 .191, 2 .189, 4 .188, 8 .187, 16 .187 at 260 MB/s.

/// Packs slices of FASTQ with binned qualities into one raw deflate stream each (RFC 1951).
///
/// What it makes depends on the slice alone. Any bytes may be given; those that are not such FASTQ are
/// declined.
///
/// Threads: one at a time.
struct FASTQDeflater: ~Copyable {
  static let largestSlice = 1 << 16
  private static let keyBits = 13
  private static let longestMatch = 258
  private static let shortestMatch = 3
  private static let window = 1 << 15
  /// How many earlier places are tried for a repeat of qualities.
  private static let places = 4
  /// Bases of the shortest repeat in a sequence.
  private static let bases = 16
  /// Per cent of the bases that are repeats, from where libraries that look for all of them make less:
  /// at levels up to 4, and above.
  private static let (mostRepeatedOfFew, mostRepeatedOfMany) = (20, 3)

  private let memory: UnsafeMutableRawPointer
  /// Runs of literals and repeats, in order: see `DeflateItem`.
  private let items: UnsafeMutablePointer<UInt32>
  /// Ends of runs of qualities, in order, and for each the one before it with the same key, from 1.
  private let ends: UnsafeMutablePointer<UInt16>
  private let links: UnsafeMutablePointer<UInt16>
  private let endOfKey: UnsafeMutablePointer<UInt16>
  /// Where 16 bases with a key stood last.
  private let baseOfKey: UnsafeMutablePointer<UInt16>
  private let code: DeflateCode
  /// Of the bases, in per cent, that may be repeats.
  private let mostRepeated: Int

  /// - Parameter level: of gzip, 1 to 9. Reads that repeat each other, as those of amplicons or of a small
  ///   genome, are declined where the level's library makes them smaller: it looks for every repeat.
  init(level: Int) throws(WorkpoolError) {
    mostRepeated = level <= 2 ? 100 : level <= 4 ? Self.mostRepeatedOfFew : Self.mostRepeatedOfMany
    let code = try DeflateCode()
    let keys = 1 << Self.keyBits
    let slice = Self.largestSlice
    guard let memory = wpl_allocate_zeroed(slice * 4 + slice * 2 * 2 + keys * 2 * 2) else {
      throw WorkpoolError(.noMemory, "no memory to pack")
    }
    self.code = code
    self.memory = memory
    items = memory.bindMemory(to: UInt32.self, capacity: slice)
    ends = (memory + slice * 4).bindMemory(to: UInt16.self, capacity: slice)
    links = ends + slice
    endOfKey = links + slice
    baseOfKey = endOfKey + keys
  }

  deinit { wpl_free(memory) }

  enum Outcome: Equatable {
    /// To so many bytes.
    case packed(Int)
    /// It is FASTQ, its qualities are not binned, and its reads are not alike.
    case manyQualities
    /// It is anything else, or does not fit.
    case declined
  }

  func deflate(
    _ slice: UnsafeRawBufferPointer, into packed: UnsafeMutableRawBufferPointer
  ) -> Outcome {
    guard let start = slice.baseAddress, slice.count <= Self.largestSlice else { return .declined }
    let text = DeflateText(start: start, count: slice.count)
    guard let first = text.firstRecord else { return .declined }
    memset(endOfKey, 0, 2 << Self.keyBits)
    memset(baseOfKey, 0, 2 << Self.keyBits)
    code.begin()
    var parts = Parts()
    if let why = parse(text, from: first, into: &parts) { return why }
    endLiterals(at: text.count, .any, text, in: &parts)
    return code.write(items, parts.count, of: text, into: packed).map { .packed($0) } ?? .declined
  }

  // MARK: Lines

  /// - Returns: why it is not packed; nil: it is FASTQ with few different qualities side by side.
  private func parse(_ text: DeflateText, from first: Int, into parts: inout Parts) -> Outcome? {
    var name = (start: first, previous: -1)
    var previousQuality = -1
    var (qualities, count) = (0, 0)
    while name.start < text.count {
      let sequence = text.end(ofLineAt: name.start + 1) + 1
      repeatName(text, name.start, min(sequence, text.count), after: name.previous, &parts)
      guard sequence < text.count else { return nil }
      let quality = text.end(ofLineAt: sequence)
      repeatBases(text, sequence, quality, &parts)
      guard quality + 1 < text.count else { return nil }
      guard text[quality + 1] == UInt8(ascii: "+") else { return .declined }
      let end = text.end(ofLineAt: quality + 1) + 1 + (quality - sequence)
      guard end >= text.count || text[end] == UInt8(ascii: "\n") else { return .declined }
      repeatQualities(
        text, quality, min(end, text.count), after: previousQuality, &count, &parts)
      qualities += quality - sequence
      if qualities >= 2_000 && count * 3 > qualities {
        // Where reads repeat each other it pays to look for it.
        return parts.repeatedBases * 100 > qualities * Self.mostRepeatedOfFew
          ? .declined : .manyQualities
      }
      if qualities >= 8_000 && parts.repeatedBases * 100 > qualities * mostRepeated {
        return .declined
      }
      previousQuality = quality
      name = (end, name.start)
    }
    return nil
  }

  private func repeatName(
    _ text: DeflateText, _ start: Int, _ end: Int, after previous: Int, _ parts: inout Parts
  ) {
    guard previous >= 0, end - previous <= Self.window else { return }
    var at = start
    // The first name of a slice begins with @, the others with the end of the line before.
    var old = text[previous] == text[start] ? previous : previous - 1
    if old < 0 { (at, old) = (start + 1, previous) }
    while at < end {
      let length = text.alike(at, old, upTo: end)
      if length >= Self.shortestMatch {
        add(length, from: at - old, at: at, .any, text, to: &parts)
        at += length
        old += length
        if at == end { return }
      }
      at += 1
      old += 1
      // Behind a field that is shorter or longer than it was, both go on with the next one.
      let (last, oldLast) = (text[at - 1], text[old - 1])
      if last == oldLast { continue }
      if Self.isSeparator(last) {
        var next = old
        while next < start && text[next] != last && text[next] != UInt8(ascii: "\n") { next += 1 }
        if next < start && text[next] == last { old = next + 1 }
      } else if Self.isSeparator(oldLast) {
        old -= 1
      }
    }
  }

  @inline(__always)
  private static func isSeparator(_ byte: UInt8) -> Bool {
    !((byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10)
  }

  private func repeatBases(
    _ text: DeflateText, _ start: Int, _ end: Int, _ parts: inout Parts
  ) {
    endLiterals(at: start, .any, text, in: &parts)
    var at = start
    var key: UInt32 = 0
    var next = start + Self.bases  // where a whole key is there
    while at + 4 <= end {
      key = key &<< 8 | UInt32(text.word(at))
      at &+= 4
      guard at >= next else { continue }
      let first = at &- Self.bases
      let slot = baseOfKey + Self.slot(key &* 0x9e37_79b1)
      let old = Int(slot.pointee)
      slot.pointee = UInt16(truncatingIfNeeded: first)
      // First what is hardly ever so. Place 0 stands for none, and is never one of a base.
      guard text.four(old) == text.four(first), old > 0, first - old <= Self.window else {
        continue
      }
      var length = text.alike(first, old, upTo: end)
      guard length >= Self.bases else { continue }
      var before = 0
      while first - before > parts.literals && before < old
        && text[first - before - 1] == text[old - before - 1]
      {
        before += 1
      }
      length += before
      parts.repeatedBases += length
      add(length, from: first - old, at: first - before, .bases, text, to: &parts)
      at = first - before + length
      next = at + Self.bases
    }
    endLiterals(at: end, .bases, text, in: &parts)
  }

  private func repeatQualities(
    _ text: DeflateText, _ start: Int, _ end: Int, after previous: Int, _ count: inout Int,
    _ parts: inout Parts
  ) {
    var run = count  // of those not passed yet, the first
    text.findRuns(start, end, ends, &count)
    var at = start
    if previous >= 0, start - previous <= Self.window {
      let length = text.alike(at, previous, upTo: end)
      if length >= Self.shortestMatch {
        add(length, from: start - previous, at: at, .any, text, to: &parts)
        at += length
      }
    }
    while at < end {
      while run < count && Int(ends[run]) <= at {
        enter(run, text)
        run += 1
      }
      let runEnd = run < count ? Int(ends[run]) : end
      var length = at > 0 && text[at] == text[at - 1] ? runEnd - at : 0
      var distance = 1
      if run < count && runEnd + 4 <= text.count {
        var place = Int(endOfKey[key(at: runEnd, text)])
        var left = Self.places
        while place > 0 && left > 0 {
          let old = Int(ends[place - 1]) - (runEnd - at)
          guard at - old <= Self.window else { break }
          if old >= 0 {
            let found = text.alike(at, old, upTo: end)
            // A code for a run costs less than one that says how far back it is.
            if found > length + (distance == 1 ? 2 : 0) {
              length = found
              distance = at - old
            }
          }
          place = Int(links[place - 1])
          left -= 1
        }
      }
      if length >= Self.shortestMatch + (distance == 1 ? 0 : 1) {
        add(length, from: distance, at: at, .any, text, to: &parts)
        at += length
      } else {
        at += 1
      }
    }
    while run < count {
      enter(run, text)
      run += 1
    }
  }

  /// The letter before `at` and the four from there on.
  @inline(__always)
  private func key(at: Int, _ text: DeflateText) -> Int {
    let letters = text.four(at) &* 0x9e37_79b1 ^ UInt32(text[at - 1]) &* 0x85eb_ca6b
    return Self.slot(letters)
  }

  @inline(__always)
  private static func slot(_ hash: UInt32) -> Int { Int(hash >> UInt32(32 - keyBits)) }

  @inline(__always)
  private func enter(_ run: Int, _ text: DeflateText) {
    let at = Int(ends[run])
    guard at + 4 <= text.count else { return }
    let slot = endOfKey + key(at: at, text)
    links[run] = slot.pointee
    slot.pointee = UInt16(run + 1)
  }

  // MARK: Items

  /// How far a slice has become items.
  private struct Parts {
    var count = 0
    /// Where literals begin that are no item yet.
    var literals = 0
    var repeatedBases = 0
  }

  @inline(__always)
  private func add(
    _ length: Int, from distance: Int, at start: Int, _ kind: DeflateItem.Literals,
    _ text: DeflateText, to parts: inout Parts
  ) {
    endLiterals(at: start, kind, text, in: &parts)
    parts.literals = start + length
    var left = length
    while left > 0 {
      let rest = left - Self.longestMatch
      // What is left must be long enough for a repeat of its own.
      let part =
        rest <= 0
        ? left : rest < Self.shortestMatch ? left - Self.shortestMatch : Self.longestMatch
      code.count(length: part, distance: distance)
      items[parts.count] = DeflateItem.match(length: part, distance: distance)
      parts.count += 1
      left -= part
    }
  }

  @inline(__always)
  private func endLiterals(
    at end: Int, _ kind: DeflateItem.Literals, _ text: DeflateText, in parts: inout Parts
  ) {
    guard end > parts.literals else { return }
    switch kind {
    case .any: code.count(text, parts.literals, end)
    case .bases: code.count(bases: text, parts.literals, end)
    }
    items[parts.count] = DeflateItem.literals(end - parts.literals, kind)
    parts.count += 1
    parts.literals = end
  }
}
