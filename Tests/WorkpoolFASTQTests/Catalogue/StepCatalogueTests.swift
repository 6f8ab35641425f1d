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

  @Test("every step is made from values of its keys' types, and has the kind it is listed with")
  func made() throws {
    for step in StepCatalogue.steps {
      var request = StepRequest(step.name)
      for key in step.keys {
        let value: StepValue =
          switch key.type {
          case .int(let range): .int(range.lowerBound)
          case .number: .double(0.5)
          case .byte: .text("C")
          case .text: .text("ACGT")
          case .choice(let words): .text(words.last!.last!)
          case .segment: .text("b")
          case .segmentOrAll: .text("all")
          case .source: .text("name:a")
          case .label: .text("t")
          case .newLabel: .text("x")
          }
        request.parameters.append(StepParameter(key.name, value))
      }
      let recipe = try Recipe(
        segments: ["a", "b"],
        steps: [
          StepParser.parse("CalcLength segment=a out_label=t"), request,
          StepParser.parse("FilterByNumericTag in_label=t min_value=0 keep_or_remove=keep"),
          StepParser.parse(
            step.keys.contains { $0.type == .newLabel }
              ? "FilterByNumericTag in_label=x min_value=0 keep_or_remove=keep" : "Head n=1"),
        ])
      let made = recipe.steps.first { $0.number == 2 }
      #expect(made?.name == step.name)
      #expect(made?.kind == step.kind)
      #expect(!step.summary.isEmpty)
    }
  }
}
