// SPDX-License-Identifier: MIT

/// One of the streams that Demultiplex deals reads out to.
public struct OutputStream: Equatable, Sendable {
  /// Part of its files' names; nil where nothing demultiplexes.
  public var name: String?
  /// Whether its reads are written.
  public var isWritten = true

  public init(name: String? = nil, isWritten: Bool = true) {
    self.name = name
    self.isWritten = isWritten
  }

  /// Every stream of `streams` dealt out to `new` ones: number `old * new.count + new`.
  static func product(_ streams: [OutputStream], _ new: [OutputStream]) -> [OutputStream] {
    streams.flatMap { old in
      new.map { stream in
        OutputStream(
          name: old.name.map { $0 + "_" + (stream.name ?? "") } ?? stream.name,
          isWritten: old.isWritten && stream.isWritten)
      }
    }
  }
}

/// Barcodes and the streams that they stand for, as a configuration lists them.
public struct BarcodeSection: Equatable, Sendable {
  public var name: String
  public var barcodes: [(sequence: String, stream: String)]

  public init(name: String, barcodes: [(sequence: String, stream: String)]) {
    self.name = name
    self.barcodes = barcodes
  }

  public static func == (one: Self, other: Self) -> Bool {
    one.name == other.name && one.barcodes.count == other.barcodes.count
      && zip(one.barcodes, other.barcodes).allSatisfy { $0 == $1 }
  }

  /// The streams' names without double ones, by name.
  var streams: [String] {
    var names: [String] = []
    for name in barcodes.map({ $0.stream }).sorted(by: {
      $0.utf8.lexicographicallyPrecedes($1.utf8)
    }) where names.last != name {
      names.append(name)
    }
    return names
  }

  /// What is wrong with it: the number of the barcode concerned, and a sentence.
  public var problems: [(barcode: Int?, message: String)] {
    if barcodes.isEmpty { return [(nil, "at least one barcode is needed")] }
    var problems: [(barcode: Int?, message: String)] = []
    let sequences = barcodes.map { Array($0.sequence.utf8) }
    let isAmbiguous = sequences.map { sequence in
      sequence.contains { !IUPAC.isBase($0) && $0 != UInt8(ascii: "_") }
    }
    // There may be very many that are not ambiguous: of those only equal ones can match the same read.
    let ambiguous = barcodes.indices.filter { isAmbiguous[$0] }
    for (index, barcode) in barcodes.enumerated() {
      let text = barcode.sequence + " = \"" + barcode.stream + "\": "
      let isWrong = !barcode.sequence.utf8.allSatisfy {
        $0 == UInt8(ascii: "_") || Letters.iupac.contains($0)
      }
      if barcode.sequence.isEmpty {
        problems.append((index, text + "the barcode is empty"))
      } else if isWrong {
        problems.append(
          (index, text + "a barcode is of upper-case IUPAC letters (A, C, G, T, N, …) and _"))
      } else if barcode.sequence.utf8.count != barcodes[0].sequence.utf8.count {
        problems.append(
          (index, text + "all barcodes need the length of " + barcodes[0].sequence))
      } else {
        for earlier in isAmbiguous[index] ? Array(0..<index) : ambiguous
        where earlier < index && barcodes[earlier].stream != barcode.stream
          && IUPAC.canBothMatch(sequences[earlier], sequences[index])
        {
          problems.append((index, text + conflict(with: earlier)))
        }
      }
      if barcode.stream.isEmpty {
        problems.append((index, text + "the name is empty"))
      } else if barcode.stream == Self.unmatched {
        problems.append((index, text + "the name no-barcode stands for reads without a barcode"))
      }
    }
    let sorted = barcodes.indices.filter { !isAmbiguous[$0] }.sorted {
      sequences[$0] == sequences[$1]
        ? $0 < $1 : sequences[$0].lexicographicallyPrecedes(sequences[$1])
    }
    for (earlier, index) in zip(sorted, sorted.dropFirst())
    where sequences[earlier] == sequences[index]
      && barcodes[earlier].stream != barcodes[index].stream
    {
      let barcode = barcodes[index]
      problems.append(
        (
          index,
          barcode.sequence + " = \"" + barcode.stream + "\": " + conflict(with: earlier)
        ))
    }
    return problems
  }

  private func conflict(with earlier: Int) -> String {
    "a read can match this and " + barcodes[earlier].sequence + " = \""
      + barcodes[earlier].stream + "\""
  }

  static let unmatched = "no-barcode"
}

/// How the files of a run are called: the parts that are not empty, joined.
public struct OutputNaming: Equatable, Sendable {
  public var prefix: String
  public var separator: String
  /// Whether the reads go to standard output.
  public var isStdout = false

  public init(prefix: String, separator: String = "_") {
    self.prefix = prefix
    self.separator = separator
  }

  public func path(_ parts: [String?], suffix: String) -> String {
    let named = ([prefix] + parts).compactMap { $0 }.filter { !$0.isEmpty }
    return joined(named, separator) + (suffix.isEmpty ? "" : "." + suffix)
  }
}
