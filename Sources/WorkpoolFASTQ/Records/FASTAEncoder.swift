// SPDX-License-Identifier: MIT
import CPlatform
import WorkpoolCore

/// Writes the kept reads of a batch as FASTA: `>name\nsequence\n`.
public enum FASTAEncoder {
  /// Puts the records of `segments`, in turn read by read, behind what `output` holds; with a `stream`,
  /// only the reads that are dealt out to it.
  ///
  /// - Throws: `noMemory`.
  public static func encode(
    _ batch: FASTQBatch, segments: [Int], stream: Int? = nil,
    into output: inout GrowableMemory<UInt8>
  ) throws(WorkpoolError) {
    let keep = try FASTQEncoder.keep(batch, stream)
    for read in 0..<batch.count where keep[read] != 0 {
      for segment in segments {
        let record = batch.segments[segment].records.start[read]
        let text = batch.segments[segment].text.bytes.start
        try output.append(UInt8(ascii: ">"))
        try output.append(text + record.name, record.nameLength)
        try output.append(UInt8(ascii: "\n"))
        try output.append(text + record.sequence, record.length)
        try output.append(UInt8(ascii: "\n"))
      }
    }
  }
}
