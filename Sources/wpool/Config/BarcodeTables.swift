// SPDX-License-Identifier: MIT
import Workpool

/// `[barcodes.NAME]`: sections of barcodes and the streams that they stand for.
enum BarcodeTables {
  static func read(
    _ member: StepParameter, segments: [String], _ problems: inout ConfigurationProblems
  ) -> [BarcodeSection] {
    guard case .table(let tables) = member.value else {
      problems.report(
        [member.key], "[barcodes] is not what is needed: tables [barcodes.NAME] of DNA = \"name\"")
      return []
    }
    var sections: [BarcodeSection] = []
    for table in tables {
      let path = [member.key, table.key]
      let title = "[barcodes.\(table.key)]"
      guard case .table(let members) = table.value else {
        problems.report(path, "\(title) is not what is needed: a table of DNA = \"name\"")
        sections.append(BarcodeSection(name: table.key, barcodes: []))
        continue
      }
      if segments.contains(table.key) {
        problems.report(path, "\(title): a segment has this name")
      }
      var section = BarcodeSection(name: table.key, barcodes: [])
      for barcode in members {
        if case .text(let stream) = barcode.value {
          section.barcodes.append((barcode.key, stream))
        } else {
          problems.report(
            path + [barcode.key],
            "\(title): \(barcode.key) = \(barcode.value.text) is not what is needed: text")
        }
      }
      for problem in section.problems {
        let key = problem.barcode.map { [section.barcodes[$0].sequence] } ?? []
        problems.report(path + key, "\(title): " + problem.message)
      }
      sections.append(section)
    }
    return sections
  }
}
