// SPDX-License-Identifier: MIT
import ArgumentParser
import Workpool

/// A number of bytes such as `65280`, `512K`, `16M` or `2G`, in powers of 1024.
struct Size: ExpressibleByArgument {
  let bytes: Int

  init?(argument: String) {
    var digits = argument[...]
    var factor = 1
    if let unit = argument.last, let power = ["K", "M", "G", "T"].firstIndex(of: unit.uppercased())
    {
      digits = digits.dropLast()
      for _ in 0...power { factor *= 1024 }
    }
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }),
      let number = Int(digits)
    else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow, bytes > 0 else { return nil }
    self.bytes = bytes
  }

  /// `16M` for 16 MiB.
  static func text(_ bytes: Int) -> String {
    var (number, unit) = (bytes, "")
    for next in ["K", "M", "G", "T"] where number >= 1024 && number % 1024 == 0 {
      (number, unit) = (number / 1024, next)
    }
    return String(number) + unit
  }
}

/// A whole number from 1.
struct Count: ExpressibleByArgument {
  let number: Int

  init?(argument: String) {
    guard let number = Int(argument), number > 0 else { return nil }
    self.number = number
  }
}

/// `auto` or a number of workers.
struct WorkerCount: ExpressibleByArgument {
  let number: Int

  init?(argument: String) {
    if argument == "auto" {
      number = Pool.usableCPUs
    } else if let given = Int(argument), (1...Pool.mostWorkers).contains(given) {
      number = given
    } else {
      return nil
    }
  }

  /// As the command line says, or the environment, or one for each CPU.
  static func chosen(_ given: WorkerCount?) throws(Failure) -> Int {
    try Environment.value(given, or: "WPOOL_MAX_WORKERS")?.number ?? Pool.usableCPUs
  }
}

/// One byte: a character, or one of `\0 \n \r \t \\ \xHH`.
struct ByteValue: ExpressibleByArgument {
  let byte: UInt8

  init?(argument: String) {
    let bytes = Array(argument.utf8)
    switch argument {
    case "\\0": byte = 0
    case "\\n": byte = 10
    case "\\r": byte = 13
    case "\\t": byte = 9
    case "\\\\": byte = UInt8(ascii: "\\")
    case _ where bytes.count == 4 && argument.hasPrefix("\\x"):
      guard let value = UInt8(argument.dropFirst(2), radix: 16) else { return nil }
      byte = value
    case _ where bytes.count == 1: byte = bytes[0]
    default: return nil
    }
  }
}

/// Exit codes separated by commas.
struct ExitCodeList: ExpressibleByArgument {
  let codes: [Int32]

  init?(argument: String) {
    var codes: [Int32] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let code = UInt8(part) else { return nil }
      codes.append(Int32(code))
    }
    self.codes = codes
  }
}

enum CompressionChoice: String, ExpressibleByArgument, CaseIterable {
  case plain, gzip, zstd

  var compression: Compression {
    switch self {
    case .plain: .plain
    case .gzip: .gzip
    case .zstd: .zstd
    }
  }
}

enum FormatChoice: String, ExpressibleByArgument, CaseIterable {
  case fastq, fasta

  var format: RecordFormat { self == .fasta ? .fasta : .fastq }
}

/// A byte of quality, as one character.
struct QualityChoice: ExpressibleByArgument {
  let byte: UInt8

  init?(argument: String) {
    guard argument.utf8.count == 1, let byte = argument.utf8.first, 33...126 ~= byte else {
      return nil
    }
    self.byte = byte
  }
}

enum TrailingChoice: String, ExpressibleByArgument, CaseIterable {
  case error, warn, ignore

  var trailing: TrailingBytes {
    switch self {
    case .error: .error
    case .warn: .warn
    case .ignore: .ignore
    }
  }
}

enum ProgressChoice: String, ExpressibleByArgument, CaseIterable {
  case auto, bar, plain, json, none
}
