// SPDX-License-Identifier: MIT
import Workpool

/// Configurations to begin with: what may be changed stands behind `# `.
enum ConfigurationTemplate {
  /// One that is right as it stands.
  static var whole: String {
    """
    # A pipeline for wpool process. `wpool validate` checks it, `wpool template STEP` shows the keys of a step.

    \(input)
    \(options)
    # Steps act on the reads in this order.
    [[step]]
    action = "CalcLength"  # makes a tag, a number for each read
    segment = "read1"
    out_label = "length"

    [[step]]
    action = "FilterByNumericTag"
    in_label = "length"
    min_value = 50
    keep_or_remove = "keep"

    # Other steps:
    \(otherSteps)
    \(barcodes)
    \(output)
    \(benchmark)
    """
  }

  static let sections: [(name: String, text: String)] = [
    ("input", input), ("options", options), ("output", output), ("barcodes", barcodes),
    ("benchmark", benchmark),
  ]

  private static let input = """
    [input]
    # A segment is a file, or a list of files that are read one after the other.
    read1 = "reads_1.fq.gz"
    # read2 = ["lane1_2.fq.gz", "lane2_2.fq.gz"]
    # interleaved = ["read1", "read2"]  # then the only key with files holds both in turn

    [input.options]
    # read_comment_character = " "  # ends a name where a name without comment is meant
    # fasta_fake_quality = 'I'  # needed for FASTA: the quality of all its bases

    """

  private static let options = """
    [options]
    # threads = 8  # workers; -j wins, else all usable CPUs
    # block_size = 10_000  # reads that travel together
    # max_blocks_in_flight = 100
    # accept_duplicate_files = false
    # spot_check_read_pairing = true  # compare the names of every 1000th pair

    """

  private static let output = """
    [output]
    prefix = "output"  # files are called PREFIX_SEGMENT.SUFFIX
    # format = "fastq"  # or fasta, none
    # compression = "gzip"  # or zstd, uncompressed
    # compression_level = 6  # gzip 0 to 9, zstd 1 to 22
    # suffix = "fq"
    # output = ["read1"]  # the segments that are written
    # interleave = ["read1", "read2"]  # into one file
    # stdout = false
    # chunk_size = 1_000_000  # reads in each file
    # ix_separator = "_"
    # report_json = false  # PREFIX.json, of Report steps
    # report_html = false  # the same to look at
    # report_timing = false  # PREFIX.timing.json, what each part of the run took
    # output_hash_uncompressed = false  # FILE.uncompressed.sha256
    # output_hash_compressed = false

    """

  private static let barcodes = """
    # Barcodes for Demultiplex and HammingCorrect; N and other IUPAC letters stand for several bases.
    # [barcodes.samples]
    # ACGTAC = "sample_1"
    # TTGCNN = "sample_2"

    """

  private static let benchmark = """
    # Runs the steps alone on the first block, again and again, and tells the time.
    # [benchmark]
    # enable = true
    # molecule_count = 1_000_000

    """

  private static var otherSteps: String {
    StepCatalogue.steps.filter { !$0.name.hasPrefix("_") }
      .map { "#   \($0.name): \($0.summary)" }.joined(separator: "\n") + "\n"
  }

  static func step(_ step: StepDescription) -> String {
    var text = "# \(step.summary)\n[[step]]\naction = \"\(step.name)\"\n"
    for key in step.keys {
      let value = key.fallback?.text ?? example(key, of: step)
      let words = key.isRequired ? key.type.fullText : "optional: " + key.type.fullText
      text += "\(key.isRequired ? "" : "# ")\(key.name) = \(value)  # \(words)\n"
    }
    return text
  }

  private static func example(_ key: StepKey, of step: StepDescription) -> String {
    if key.name == "qual" { return "\"IIII\"" }
    switch key.type {
    case .int(let range): return String(min(max(range.lowerBound, 1), range.upperBound))
    case .number(let from, let above, let below):
      if let below { return String(((from ?? above ?? 0) + below) / 2) }
      return String(max(from ?? 1, (above ?? 0) + 1))
    case .bool: return "false"
    case .byte(let range): return range.contains(33) ? "\"!\"" : String(range.lowerBound)
    case .text: return key.name.contains("file") ? "\"other.fq.gz\"" : "\"text\""
    case .texts: return "[\"other.fq.gz\"]"
    case .choice(let words): return "\"\(words[0][0])\""
    case .letters, .letterLists: return "\"ACGT\""
    case .segment, .segmentOrAll, .source:
      return key.name == "segment2" || key.name == "segment_b" ? "\"read2\"" : "\"read1\""
    case .label: return "\"tag\""
    case .labels: return "[\"tag\", \"other_tag\"]"
    case .newLabel: return "\"new_tag\""
    case .condition: return "\"tag\""
    case .barcodes: return "\"samples\""
    case .regions:
      return "[{source = \"read1\", start = 0, length = 8, anchor = \"start\"}]"
    case .expression: return "\"len_read1 > 50\""
    }
  }
}
