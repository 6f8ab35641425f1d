// SPDX-License-Identifier: MIT

/// The numeric tags of a recipe, as its steps make and use them in turn.
struct TagTable {
  private struct Tag {
    var label: String
    var step: Int?
    var stepName: String
    var origin: String?
    var isUsed = false
  }

  private var tags: [Tag] = []

  /// Columns that a batch needs.
  var columnCount: Int { tags.count }

  /// - Returns: what is wrong with the new label, if anything is. The tag is known afterwards.
  mutating func make(
    _ label: String, step: Int?, stepName: String, origin: String?, segments: [String]
  ) -> String? {
    let problem: String? =
      if !isIdentifier(label) {
        "a label is letters, digits and _, and no digit first"
      } else if label == "ReadName" || label == "read_no" || label.utf8.starts(with: "len_".utf8) {
        "the label is reserved"
      } else if segments.contains(label) {
        "a segment has this name"
      } else if let earlier = tags.first(where: { $0.label == label }) {
        "the label was made before, by " + earlier.stepName
      } else {
        nil
      }
    if column(label) == nil {
      tags.append(Tag(label: label, step: step, stepName: stepName, origin: origin))
    }
    return problem
  }

  func column(_ label: String) -> Int? { tags.firstIndex { $0.label == label } }

  /// - Returns: the column; nil for an unknown label.
  mutating func use(_ label: String) -> Int? {
    guard let column = column(label) else { return nil }
    tags[column].isUsed = true
    return column
  }

  /// For the message about an unknown label.
  func known(near label: String) -> String {
    let labels = tags.map { $0.label }
    return labels.isEmpty
      ? "no step before has made a tag"
      : "there are " + joined(labels, ", ") + nearestHint(to: label, among: labels)
  }

  var unusedProblems: [RecipeProblem] {
    tags.filter { !$0.isUsed }.map {
      RecipeProblem(
        origin: $0.origin, step: $0.step, stepName: $0.stepName, key: "out_label",
        message: "no step uses the tag \"" + $0.label + "\"")
    }
  }
}
