// SPDX-License-Identifier: MIT
import Workpool

/// `[input]`: the segments and their files.
struct InputSection {
  var segments: [String] = []
  /// A list for each segment, or a single one for interleaved input.
  var files: [[String]] = []
  var isInterleaved = false
  var commentCharacter = UInt8(ascii: " ")
  /// A segment's key in the text, for lines of messages.
  private(set) var keys: [String] = []

  static let stdin = "--stdin--"
  private static let options = [
    "read_comment_character", "fasta_fake_quality", "bam_include_mapped", "bam_include_unmapped",
    "use_rapidgzip", "build_rapidgzip_index", "threads_per_segment",
  ]

  /// - Parameter isThere: false where its absence was told already.
  init(
    _ section: SectionReader, _ problems: inout ConfigurationProblems, isThere: Bool = true
  ) {
    guard isThere else { return }
    var section = section
    let interleaved = section.take("interleaved", problems: &problems)
    if let options = section.take("options", problems: &problems) {
      readOptions(options, section, &problems)
    }
    for member in section.rest { readSegment(member, section, &problems) }
    if section.rest.isEmpty {
      section.report(
        "", "there is no segment; one is needed, such as read1 = \"reads.fq\"", &problems)
    }
    if let interleaved { interleave(interleaved, section, &problems) }
    checkLists(section, &problems)
  }

  private mutating func readSegment(
    _ member: StepParameter, _ section: SectionReader, _ problems: inout ConfigurationProblems
  ) {
    let trimmed = member.key.drop { $0 == " " || $0 == "\t" }
    let name = String(trimmed.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    if name.isEmpty {
      section.report(member.key, "the name of a segment is empty", &problems)
    } else if !Spelling.isIdentifier(name) {
      section.report(
        member.key,
        "segment \"\(name)\": a name is letters, digits and _, and begins with a letter or _",
        &problems)
    } else if Spelling.isSame(name, "all") || name.hasPrefix("_internal_") {
      section.report(member.key, "segment \"\(name)\": the name is reserved", &problems)
    } else if Self.options.contains(where: { Spelling.isSame(name, $0) }) {
      section.report(
        member.key, "segment \"\(name)\": this is a key of [input.options]", &problems)
    }
    guard let files = section.texts(member, &problems) else { return }
    if files.isEmpty {
      section.report(member.key, "\(name) = []: the segment needs at least one file", &problems)
    }
    segments.append(name)
    self.files.append(files)
    keys.append(member.key)
  }

  private mutating func interleave(
    _ member: StepParameter, _ section: SectionReader, _ problems: inout ConfigurationProblems
  ) {
    guard let names = section.texts(member, &problems) else { return }
    if names.count < 2 {
      section.report(
        member.key, "interleaved = \(member.value.text): at least two segments are needed",
        &problems)
    }
    for (index, name) in names.enumerated() {
      if names[..<index].contains(name) {
        section.report(member.key, "interleaved: \"\(name)\" is there twice", &problems)
      }
      if !Spelling.isIdentifier(name) || Spelling.isSame(name, "all") {
        section.report(
          member.key, "interleaved: \"\(name)\": a name is letters, digits and _, not \"all\"",
          &problems)
      }
    }
    if files.count > 1 {
      section.report(
        member.key,
        "interleaved needs exactly one key with files, not \(keys.joined(separator: ", "))",
        &problems)
    }
    segments = names
    files = Array(files.prefix(1))
    isInterleaved = true
  }

  private func checkLists(_ section: SectionReader, _ problems: inout ConfigurationProblems) {
    for (index, list) in files.enumerated() where list.count != files[0].count {
      section.report(
        keys[index],
        "\(keys[index]) has \(list.count) files, \(keys[0]) has \(files[0].count); all segments "
          + "need equally many", &problems)
    }
    let all = files.flatMap { $0 }
    for (index, list) in files.enumerated() where list.contains(Self.stdin) && all.count > 1 {
      section.report(
        keys[index],
        "\(isInterleaved ? "interleaved " : "")\(keys[index]): \"\(Self.stdin)\" can only be the only "
          + "file", &problems)
    }
  }

  /// Files that are there twice.
  func checkDuplicates(_ section: [String], _ problems: inout ConfigurationProblems) {
    var seen: [String: String] = [:]
    for (list, key) in zip(files, keys) {
      for file in list {
        if let earlier = seen[file] {
          let line = problems.text.line(section + [earlier]).map { " in line \($0)" } ?? ""
          problems.report(
            section + [key],
            "[input]: \(key): \"\(file)\" is there twice, also in \(earlier)\(line); "
              + "options.accept_duplicate_files = true allows that")
        }
        seen[file] = key
      }
    }
  }

  // MARK: Options

  private mutating func readOptions(
    _ member: StepParameter, _ section: SectionReader, _ problems: inout ConfigurationProblems
  ) {
    guard case .table(let members) = member.value else {
      section.wrong(member, "a table", &problems)
      return
    }
    var options = SectionReader(
      title: "[input.options]", path: section.path + [member.key], members)
    if let byte = options.byte("read_comment_character", 0...255, &problems) {
      commentCharacter = byte
    }
    fakeQuality = options.byte("fasta_fake_quality", 33...126, &problems)
    includesMapped = options.bool("bam_include_mapped", &problems)
    includesUnmapped = options.bool("bam_include_unmapped", &problems)
    let usesRapidgzip = options.bool("use_rapidgzip", &problems)
    if options.bool("build_rapidgzip_index", &problems) == true, usesRapidgzip != true {
      options.report(
        "build_rapidgzip_index", "build_rapidgzip_index needs use_rapidgzip = true", &problems)
    }
    _ = options.int("threads_per_segment", 0...Int.max, &problems)
    options.refuseRest(&problems)
  }

  private(set) var fakeQuality: UInt8?
  private(set) var includesMapped: Bool?
  private(set) var includesUnmapped: Bool?
}
