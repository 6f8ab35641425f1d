// SPDX-License-Identifier: MIT
import WorkpoolCore

// Values that name something of the recipe: segments, tags, barcodes.

extension RecipeBuilder {
  var segmentList: String { "segments are " + joined(segments, ", ") }

  mutating func segment(
    _ key: StepKey, _ name: String, allowsAll: Bool, _ given: StepValue
  ) -> Range<Int>? {
    if let index = segments.firstIndex(of: name) { return index..<index + 1 }
    let isAll = name == "all" || name == "All"
    if allowsAll && isAll { return 0..<segments.count }
    reportWrong(
      key, given,
      isAll
        ? "is not possible here: one segment is needed; " + segmentList
        : "is no segment; " + segmentList + nearestHint(to: name, among: segments))
    return nil
  }

  mutating func source(
    _ key: StepKey, _ text: String, _ parts: SourceParts, _ given: StepValue
  ) -> StepSource? {
    if let label = rest(of: text, after: "tag:") {
      guard !parts.tags.isEmpty else {
        reportWrong(key, given, "is not what is needed: " + parts.text)
        return nil
      }
      return tag(key, label, parts.tags, given: given).map {
        StepSource(part: .tag($0), segments: 0..<segments.count)
      }
    }
    guard let name = rest(of: text, after: "name:") else {
      return segment(key, text, allowsAll: parts.allowsAll, given).map {
        StepSource(part: .sequence, segments: $0, isAll: !segments.contains(text))
      }
    }
    guard parts.allowsNames else {
      reportWrong(key, given, "is not what is needed: " + parts.text)
      return nil
    }
    if name.isEmpty && segments.count == 1 { return StepSource(part: .name, segments: 0..<1) }
    return segment(key, name, allowsAll: parts.allowsAll, given).map {
      StepSource(part: .name, segments: $0, isAll: !segments.contains(name))
    }
  }

  private func rest(of text: String, after prefix: String) -> String? {
    guard text.utf8.starts(with: prefix.utf8) else { return nil }
    return String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
  }

  // MARK: Tags

  mutating func tag(
    _ key: StepKey, _ label: String, _ kinds: [TagKind], given: StepValue? = nil
  ) -> TagReference? {
    let given = given ?? .text(label)
    guard let tag = tags.use(label) else {
      reportWrong(key, given, "is unknown; " + tags.known(near: label))
      return nil
    }
    guard kinds.contains(tag.kind) else {
      reportWrong(
        key, given,
        "is a " + tag.kind.text + " tag; a " + joined(kinds.map { $0.text }, " or ")
          + " tag is needed")
      return nil
    }
    return tag
  }

  mutating func tags(
    _ key: StepKey, _ labels: [String], _ kinds: [TagKind]
  ) -> [TagReference]? {
    var found: [TagReference] = []
    for (index, label) in labels.enumerated() {
      if labels[..<index].contains(label) {
        reportWrong(key, .text(label), "is there twice")
      } else if let tag = tag(key, label, kinds) {
        found.append(tag)
      }
    }
    return found.count == labels.count ? found : nil
  }

  mutating func condition(_ key: StepKey, _ text: String) -> TagCondition? {
    let label = rest(of: text, after: "!")
    return tag(key, label ?? text, [.bool, .location, .string], given: .text(text)).map {
      TagCondition(tag: $0, isNegated: label != nil)
    }
  }

  mutating func newTag(_ key: StepKey, _ label: String, _ kind: TagKind) -> TagReference? {
    let (tag, problem) = tags.make(
      label, kind, step: number, stepName: name, origin: origin, segments: segments,
      barcodes: options.barcodes.map { $0.name })
    guard let problem else { return tag }
    reportWrong(key, .text(label), "is not possible: " + problem)
    return nil
  }

  mutating func barcodes(_ key: StepKey, _ name: String) -> Int? {
    if let index = options.barcodes.firstIndex(where: { $0.name == name }) { return index }
    let names = options.barcodes.map { $0.name }
    reportWrong(
      key, .text(name),
      names.isEmpty
        ? "is unknown; there is no barcodes section"
        : "is no barcodes section; there are " + joined(names, ", ")
          + nearestHint(to: name, among: names))
    return nil
  }

  // MARK: Regions

  private static let regionKeys = [
    StepKey("source", aliases: ["segment"], .source(Self.regionParts)),
    StepKey("start", .int(Int.min...Int.max)),
    StepKey("length", aliases: ["len"], .int(0...Int.max)),
    StepKey("anchor", .choice(Self.anchors)),
  ]
  static let regionParts = SourceParts.parts(names: true, tags: [.location, .string])
  static let anchors = [["start", "left"], ["end", "right"]]

  mutating func regions(_ key: StepKey, _ list: [StepValue]) -> [RegionRequest]? {
    guard !list.isEmpty else {
      report(key.name, key.name + " is empty; at least one region is needed")
      return nil
    }
    var requests: [RegionRequest] = []
    for (index, value) in list.enumerated() {
      guard case .table(let members) = value else {
        reportWrong(key, value, "is not what is needed: " + key.type.text)
        return nil
      }
      let before = problems.count
      let request = region(key, members, index + 1)
      if let request, problems.count == before { requests.append(request) }
    }
    return requests.count == list.count ? requests : nil
  }

  private mutating func region(
    _ key: StepKey, _ members: [StepParameter], _ position: Int
  ) -> RegionRequest? {
    var found: [StepValue?] = Self.regionKeys.map { _ in nil }
    let place = key.name + ", region " + String(position) + ": "
    for member in members {
      guard let index = Self.regionKeys.firstIndex(where: { $0.isCalled(member.key) }) else {
        report(key.name, place + "unknown key " + member.key)
        continue
      }
      if found[index] != nil { report(key.name, place + member.key + " is given twice") }
      found[index] = member.value
    }
    for (index, regionKey) in Self.regionKeys.enumerated() where found[index] == nil {
      // A single segment need not be named.
      if index == 0 && segments.count == 1 {
        found[0] = .text(segments[0])
      } else {
        report(key.name, place + regionKey.name + " is missing")
      }
    }
    guard let source = found[0], case .text(let text) = source,
      let part = self.source(Self.regionKeys[0], text, Self.regionParts, source),
      let start = found[1], case .int(let first)? = plainValue(Self.regionKeys[1], start),
      let size = found[2], case .int(let length)? = plainValue(Self.regionKeys[2], size),
      let anchor = found[3], case .choice(let end)? = plainValue(Self.regionKeys[3], anchor)
    else { return nil }
    return RegionRequest(source: part, start: first, length: length, isFromEnd: end == 1)
  }

  // MARK: Expressions

  mutating func expression(_ key: StepKey, _ text: String) -> Expression? {
    var expression: Expression
    do throws(WorkpoolError) {
      expression = try Expression(text)
    } catch {
      report(key.name, key.name + " = " + error.message)
      return nil
    }
    for name in expression.names {
      if let variable = variable(key, name) { expression.variables.append(variable) }
    }
    return expression.variables.count == expression.names.count ? expression : nil
  }

  private mutating func variable(_ key: StepKey, _ name: String) -> Expression.Variable? {
    if name == "read_no" { return .readNumber }
    if let of = rest(of: name, after: "len_") {
      if let index = segments.firstIndex(of: of) { return .lengthOfSegment(index) }
      if let tag = tags.use(of) {
        if tag.kind == .location || tag.kind == .string { return .lengthOfTag(tag) }
        report(
          key.name,
          key.name + ": \"" + name + "\": " + of + " is a " + tag.kind.text
            + " tag, which has no length")
        return nil
      }
      report(
        key.name,
        key.name + ": \"" + name + "\": " + of + " is neither a segment (" + joined(segments, ", ")
          + ") nor a tag; " + tags.known(near: of))
      return nil
    }
    if let tag = tags.use(name) { return .tag(tag) }
    report(key.name, key.name + ": \"" + name + "\" is unknown; " + tags.known(near: name))
    return nil
  }
}
