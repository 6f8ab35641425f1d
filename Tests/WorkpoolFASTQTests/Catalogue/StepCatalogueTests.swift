// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct StepCatalogueTests {
  @Test("no name stands for two steps, and no word for two keys of a step")
  func unique() {
    let names = StepCatalogue.steps.flatMap { [$0.name] + $0.aliases }
    for (index, name) in names.enumerated() {
      #expect(!names[..<index].contains { isSameName($0, name) }, "\(name)")
    }
    for step in StepCatalogue.steps {
      let keys = step.keys.flatMap { [$0.name] + $0.aliases }
      for (index, key) in keys.enumerated() {
        #expect(!keys[..<index].contains { isSameName($0, key) }, "\(step.name) \(key)")
      }
    }
  }

  @Test("steps are found by name and alias")
  func found() {
    #expect(StepCatalogue.step(named: "reverse_complement")?.name == "ReverseComplement")
    #expect(StepCatalogue.step(named: "SAMPLE")?.name == "FilterSample")
    #expect(StepCatalogue.step(named: "spot-check-read-names")?.name == "ValidateReadPairing")
    #expect(StepCatalogue.step(named: "nothing") == nil)
  }

  /// Where values that are right one by one do not go together.
  private static let special: [String: [(String, StepValue)]] = [
    "ConvertQuality": [("to", .text("sanger"))],
    "Swap": [("segment_a", .text("a"))],
    "MergeReads": [("segment1", .text("a"))],
    "Inspect": [("compression_level", .int(3))],
    "StoreTagInFastQ": [("compression_level", .int(3))],
    "ConcatTags": [("in_labels", .list([.text("l"), .text("s")]))],
    "ExtractIUPACSuffix": [("min_length", .int(2))],
  ]

  private func value(_ type: StepKeyType) -> StepValue {
    func label(_ kinds: [TagKind]) -> String {
      switch kinds[0] {
      case .location: "l"
      case .string: "s"
      case .numeric: "n"
      case .bool: "t"
      }
    }
    return switch type {
    case .int(let range): .int(max(range.lowerBound, 0))
    case .number: .double(0.5)
    case .bool: .bool(true)
    case .byte: .text("C")
    case .text, .texts, .letters, .letterLists: .text("ACGT")
    case .choice(let words): .text(words.last!.last!)
    case .segment: .text("b")
    case .segmentOrAll: .text("all")
    case .source(let parts): .text(parts.allowsNames ? "name:a" : "a")
    case .label(let kinds): .text(label(kinds))
    case .labels(let kinds): .text(label(kinds))
    case .newLabel: .text("x")
    case .condition: .text("!t")
    case .barcodes: .text("codes")
    case .expression: .text("n + len_b")
    case .regions:
      .list([
        .table([
          StepParameter("source", .text("a")), StepParameter("start", .int(0)),
          StepParameter("length", .int(1)), StepParameter("anchor", .text("end")),
        ])
      ])
    }
  }

  @Test("every step is made from values of its keys' types, and has the kind it is listed with")
  func made() throws {
    var options = RecipeOptions()
    options.barcodes = [BarcodeSection(name: "codes", barcodes: [("AC", "one")])]
    options.naming = OutputNaming(prefix: "out")
    let before = [
      "ExtractRegion segment=a start=0 len=1 anchor=start out_label=l",
      "ExtractRegion source=name:a start=0 len=1 anchor=start out_label=s",
      "CalcLength segment=a out_label=n", "EvalExpression expr=1 result_type=bool out_label=t",
    ]
    for step in StepCatalogue.steps {
      var request = StepRequest(step.name)
      for key in step.keys {
        let own = Self.special[step.name]?.first { $0.0 == key.name }?.1
        request.parameters.append(StepParameter(key.name, own ?? value(key.type)))
      }
      do {
        let recipe = try Recipe(
          segments: ["a", "b"],
          steps: try before.map { try StepParser.parse($0) } + [request]
            + [StepParser.parse("ForgetAllTags")], options: options)
        let made = recipe.steps.first { $0.number == 5 }
        #expect(made?.name == step.name)
        #expect(made?.kind == step.kind)
        #expect(!step.summary.isEmpty)
      } catch let error as RecipeError {
        // What this build lacks is said by name.
        #expect(error.text.contains("this build has no"), "\(error.text)")
      }
    }
  }
}
