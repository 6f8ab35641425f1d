// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolIO

@Suite struct FormatTests {
  @Test("the suffix of an output decides its packing")
  func compressionBySuffix() {
    #expect(Compression(path: "a/b.fq.gz") == .gzip)
    #expect(Compression(path: "b.bgz") == .gzip)
    #expect(Compression(path: "b.zst") == .zstd)
    #expect(Compression(path: "b.fq.zstd") == .zstd)
    #expect(Compression(path: "b.fq") == .plain)
    #expect(Compression(path: "gz") == .plain)
    #expect(Compression(path: "a.gz/b") == .plain)
    #expect(Compression(path: "") == .plain)
  }

  @Test("the suffix in front of the packing decides the record format")
  func recordsBySuffix() {
    for suffix in ["", ".gz", ".bgz", ".zst", ".zstd"] {
      #expect(RecordFormat(path: "x.fq" + suffix) == .fastq)
      #expect(RecordFormat(path: "x.fastq" + suffix) == .fastq)
      #expect(RecordFormat(path: "x.fa" + suffix) == .fasta)
      #expect(RecordFormat(path: "x.fasta" + suffix) == .fasta)
      #expect(RecordFormat(path: "x.fna" + suffix) == .fasta)
      #expect(RecordFormat(path: "x.txt" + suffix) == nil)
    }
    #expect(RecordFormat(path: "x.bam") == .bam)
    #expect(RecordFormat(path: "x.fq.gz.gz") == nil)
  }

  private func packed(_ bytes: UInt8...) throws -> Compression {
    try bytes.withBytes { (bytes) throws(WorkpoolError) in try Format.detect(packed: bytes) }
  }
  private func decoded(_ text: String) throws -> RecordFormat? {
    try Bytes(text.utf8).withBytes { (bytes) throws(WorkpoolError) in
      try Format.detect(decoded: bytes)
    }
  }

  @Test("a packing is told by its first bytes")
  func byContent() throws {
    #expect(try packed(0x1f, 0x8b, 8, 0) == .gzip)
    #expect(try packed(0x1f, 0x8b) == .gzip)
    #expect(try packed(0x28, 0xb5, 0x2f, 0xfd) == .zstd)
    for byte in UInt8(0x50)...0x5f { #expect(try packed(byte, 0x2a, 0x4d, 0x18) == .zstd) }
    #expect(try packed(0x60, 0x2a, 0x4d, 0x18) == .plain)
    #expect(try packed(0x28, 0xb5) == .zstd)
    #expect(try packed(0x28) == .plain)
    #expect(try packed() == .plain)
    #expect(try packed(0x40, 0x41, 0x42, 0x0a) == .plain)
    #expect(throws: WorkpoolError.self) { try packed(0x42, 0x5a, 0x68, 0x39) }
    #expect(throws: WorkpoolError.self) { try packed(0x22, 0xb5, 0x2f, 0xfd) }
  }

  @Test("records are told by the first decoded bytes")
  func recordsByContent() throws {
    #expect(try decoded("@r1\n") == .fastq)
    #expect(try decoded(">c1\n") == .fasta)
    #expect(try decoded("BAM\u{1}") == .bam)
    #expect(try decoded("") == nil)
    for (text, part) in [
      ("\u{feff}", "byte order mark"), ("\n@r1", "blank line"), ("\r\n", "blank line"),
      ("ACG\n", "'A'"), ("BAM\u{2}", "'B'"), ("\u{1}", "byte 0x01"), (" x", "byte 0x20"),
    ] {
      let error = #expect(throws: WorkpoolError.self) { try decoded(text) }
      #expect(error?.status == .malformedRecord && error!.text.contains(part), "\(error!.text)")
    }
  }
}
