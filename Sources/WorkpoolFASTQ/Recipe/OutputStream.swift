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
    for barcode in barcodes where !names.contains(barcode.stream) { names.append(barcode.stream) }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// What is wrong with it: the number of the barcode concerned, and a sentence.
  public var problems: [(barcode: Int?, message: String)] {
    if barcodes.isEmpty { return [(nil, "at least one barcode is needed")] }
    var problems: [(barcode: Int?, message: String)] = []
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
        for earlier in barcodes[..<index]
        where earlier.stream != barcode.stream
          && IUPAC.canBothMatch(Array(earlier.sequence.utf8), Array(barcode.sequence.utf8))
        {
          problems.append(
            (
              index,
              text + "a read can match this and " + earlier.sequence + " = \"" + earlier.stream
                + "\""
            ))
        }
      }
      if barcode.stream.isEmpty {
        problems.append((index, text + "the name is empty"))
      } else if barcode.stream == Self.unmatched {
        problems.append((index, text + "the name no-barcode stands for reads without a barcode"))
      }
    }
    return problems
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
