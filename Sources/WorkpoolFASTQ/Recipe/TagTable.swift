// SPDX-License-Identifier: MIT

/// The tags of a recipe, as its steps make, use and forget them in turn.
struct TagTable {
  private struct Tag {
    var reference: TagReference
    var step: Int?
    var stepName: String
    var origin: String?
    var isUsed = false
    /// The step that forgot it.
    var forgottenBy: String?
    /// Whether its values may have several regions.
    var isSeveral = false
  }

  private var tags: [Tag] = []

  /// What each column of a batch holds.
  var kinds: [TagKind] { tags.map { $0.reference.kind } }
  var alive: [TagReference] { tags.filter { $0.forgottenBy == nil }.map { $0.reference } }
  var severalRegions: Set<Int> {
    Set(tags.filter { $0.isSeveral }.map { $0.reference.column })
  }

  /// - Returns: the tag, and what is wrong with the new label, if anything is. The tag is known
  ///   afterwards, so that later steps which name it are not wrong too.
  mutating func make(
    _ label: String, _ kind: TagKind, step: Int?, stepName: String, origin: String?,
    segments: [String], barcodes: [String]
  ) -> (tag: TagReference, problem: String?) {
    let problem: String? =
      if !isIdentifier(label) {
        "a label is letters, digits and _, and no digit first"
      } else if label == "ReadName" || label == "read_no" || label.utf8.starts(with: "len_".utf8) {
        "the label is reserved"
      } else if segments.contains(label) {
        "a segment has this name"
      } else if barcodes.contains(label) {
        "a barcodes section has this name"
      } else if let earlier = living(label) {
        "the label was made before, by " + title(earlier)
      } else {
        nil
      }
    if let known = living(label) { return (known.reference, problem) }
    let tag = TagReference(label: label, column: tags.count, kind: kind)
    tags.append(Tag(reference: tag, step: step, stepName: stepName, origin: origin))
    return (tag, problem)
  }

  private func living(_ label: String) -> Tag? {
    tags.first { $0.reference.label == label && $0.forgottenBy == nil }
  }

  private func title(_ tag: Tag) -> String {
    tag.step.map { "step " + String($0) + " (" + tag.stepName + ")" } ?? tag.stepName
  }

  mutating func markSeveral(_ tag: TagReference) { tags[tag.column].isSeveral = true }

  /// - Returns: the tag; nil for an unknown label.
  mutating func use(_ label: String) -> TagReference? {
    guard let tag = living(label)?.reference else { return nil }
    tags[tag.column].isUsed = true
    return tag
  }

  mutating func useAll() {
    for index in tags.indices where tags[index].forgottenBy == nil { tags[index].isUsed = true }
  }

  mutating func forget(_ tag: TagReference, by step: String) { tags[tag.column].forgottenBy = step }

  mutating func forgetAll(by step: String) {
    useAll()
    for tag in alive { forget(tag, by: step) }
  }

  /// For the message about an unknown label.
  func known(near label: String) -> String {
    if let forgotten = tags.last(where: { $0.reference.label == label }) {
      return "it was forgotten by " + (forgotten.forgottenBy ?? "")
    }
    let labels = alive.map { $0.label }
    return labels.isEmpty
      ? "no step before has made a tag"
      : "there are " + joined(labels, ", ") + nearestHint(to: label, among: labels)
  }

  var unusedProblems: [RecipeProblem] {
    tags.filter { !$0.isUsed }.map {
      RecipeProblem(
        origin: $0.origin, step: $0.step, stepName: $0.stepName, key: "out_label",
        message: "no step uses the tag \"" + $0.reference.label + "\"")
    }
  }
}
