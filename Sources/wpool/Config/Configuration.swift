// SPDX-License-Identifier: MIT
import Workpool

/// A configuration that was read and checked as far as that goes without opening a file.
struct Configuration {
  let input: InputSection
  let options: OptionsSection
  /// nil only for a benchmark.
  let output: OutputSection?
  let recipe: Recipe
  let benchmark: BenchmarkSection?

  /// - Throws: everything that is wrong, in the order of the text.
  init(_ text: ConfigurationText) throws(Failure) {
    var problems = ConfigurationProblems(text: text)
    var root = SectionReader(title: "the configuration", path: [], text.root)
    let inputTable = Self.section("input", &root, &problems)
    let optionTable = Self.section("options", &root, &problems)
    let outputTable = Self.section("output", &root, &problems)
    let barcodeTables = root.take("barcodes", problems: &problems)
    let benchmarkTable = Self.section("benchmark", &root, &problems)
    let steps = root.take("step", "transform", problems: &problems)
    root.refuseRest(&problems)

    if inputTable == nil && text.root.allSatisfy({ !Spelling.isSame($0.key, "input") }) {
      problems.report([], "[input] is missing")
    }
    input = InputSection(
      inputTable ?? SectionReader(title: "[input]", path: ["input"], []), &problems,
      isThere: inputTable != nil)
    var options = OptionsSection()
    if let optionTable {
      options = OptionsSection(optionTable, isInterleaved: input.isInterleaved, &problems)
    }
    self.options = options
    if !options.acceptsDuplicateFiles {
      input.checkDuplicates(inputTable?.path ?? [], &problems)
    }
    let segments = input.segments
    let output = outputTable.map { OutputSection($0, segments: segments, &problems) }
    self.output = output
    let barcodes =
      barcodeTables.map { BarcodeTables.read($0, segments: segments, &problems) } ?? []
    let benchmark = benchmarkTable.map { BenchmarkSection($0, &problems) }
    self.benchmark = benchmark
    let isBenchmark = benchmark?.isEnabled == true

    var recipeOptions = RecipeOptions()
    recipeOptions.commentCharacter = input.commentCharacter
    recipeOptions.checksPairing = options.checksPairing && !isBenchmark
    recipeOptions.barcodes = barcodes
    recipeOptions.naming = output?.naming ?? (isBenchmark ? OutputNaming(prefix: "benchmark") : nil)
    let requests = StepTables.read(steps, &problems)
    let recipe = StepTables.recipe(
      requests, input, recipeOptions, path: steps.map { [$0.key] } ?? [], &problems)
    if let recipe, !isBenchmark { Self.checkOutput(output, recipe, &problems) }
    guard problems.isEmpty, let recipe else {
      throw Failure(exitCode: .usage, messages: problems.messages)
    }
    self.recipe = recipe
  }

  /// The table of this name, whatever its case in the text.
  private static func section(
    _ name: String, _ root: inout SectionReader, _ problems: inout ConfigurationProblems
  ) -> SectionReader? {
    guard let member = root.take(name, problems: &problems) else { return nil }
    guard case .table(let members) = member.value else {
      problems.report(
        [member.key],
        "\(member.key) = \(member.value.text) is not what is needed: a table [\(name)]")
      return nil
    }
    return SectionReader(title: "[\(name)]", path: [member.key], members)
  }

  private static func checkOutput(
    _ output: OutputSection?, _ recipe: Recipe, _ problems: inout ConfigurationProblems
  ) {
    // `format = "none"` says that no file is wanted.
    let writesFiles = output.map { !($0.segments.isEmpty && $0.interleaved.isEmpty) }
    let reports = output.map { $0.hasJSONReport || $0.hasHTMLReport } ?? false
    let hasTiming = output?.hasTiming ?? false
    if !(writesFiles ?? false) && !reports && !hasTiming && recipe.files.isEmpty {
      problems.report(
        output?.path ?? [],
        "no output files and no reports are asked for: there is nothing to do")
    }
    guard let output else { return }
    if reports && !recipe.hasReports {
      let key = output.hasJSONReport ? "report_json" : "report_html"
      problems.report(output.path + [key], "[output]: \(key) = true needs a Report step")
    } else if !reports && recipe.needsReport {
      problems.report(
        output.path,
        "[output]: a Report step needs report_json = true or report_html = true")
    }
    if output.format == .bam {
      problems.report(
        output.path + ["format"], "[output]: format = \"bam\" is not available in this version")
    }
  }
}
