// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

@Suite struct JobChartTests {
  /// a (10 to 30) before b (30 to 90), c beside them (10 to 50), tried twice.
  private func bench() throws -> Bench {
    var bench = Bench(slots: 2)
    bench.now = 10_000
    try bench.submit(
      job("a\"<"), job("b", after: ["a\"<"]),
      job("c") {
        $0.retry.maxRetries = 1
        $0.memory = 5
      })
    bench.now = 30_000
    bench.finish("a\"<")
    bench.now = 40_000
    bench.fail("c")
    bench.now = 50_000
    bench.finish("c")
    bench.now = 90_000
    bench.finish("b")
    return bench
  }

  @Test("bars tell who ran when; the critical path goes back from the last end")
  func bars() throws {
    let chart = try bench().scheduler.chart(from: 10_000, until: 0)
    #expect(chart.bars.map { $0.start } == [0, 20_000, 0, 30_000])
    #expect(chart.bars.map { $0.end } == [20_000, 80_000, 30_000, 40_000])
    #expect(chart.criticalPath.map { $0.id } == ["a\"<", "b"])
    #expect(chart.length == 80_000)
  }

  @Test(
    "a trace has a bar for each attempt, arrows, counters and instants; no two bars of a slot overlap"
  )
  func trace() throws {
    let chart = try bench().scheduler.chart(from: 10_000, until: 0)
    let text = chart.traceText
    #expect(text.components("\"ph\":\"X\"") == 4)
    #expect(text.components("\"ph\":\"s\"") == 1 && text.components("\"ph\":\"f\"") == 1)
    #expect(text.components("retry c") == 1)
    #expect(text.contains("\"name\":\"a\\\"<\"") && text.contains("\"memory\":5"))
    for (index, bar) in chart.bars.enumerated() {
      for other in chart.bars[..<index] where other.slot == bar.slot {
        #expect(other.end <= bar.start || bar.end <= other.start)
      }
    }
  }

  @Test("a picture has a rectangle for each attempt and outlines the critical path")
  func picture() throws {
    let chart = try bench().scheduler.chart(from: 10_000, until: 0)
    #expect(chart.svgText.components("<rect") == 4)
    #expect(chart.svgText.components("stroke=") == 2)
    #expect(chart.svgText.contains("a\"&lt;"))
    #expect(chart.asciiText(columns: 40).components("\n") == 2)
    #expect(JobChart().svgText.contains("<svg") && JobChart().traceText.contains("[\n]"))
  }

  @Test("metrics add up")
  func metrics() throws {
    let metrics = try bench().scheduler.metrics(at: 0)
    #expect(metrics.totalProcessed == 3 && metrics.retries == 1 && metrics.successRate == 1)
    #expect(metrics.parallelismFactor == 120_000.0 / 80_000)
    #expect(metrics.peakRunning == 2 && metrics.peakMemory == 5)
    #expect(metrics.slotUse == 120_000.0 / 160_000)
  }
}

extension String {
  /// How often the other text occurs.
  fileprivate func components(_ part: String) -> Int {
    var count = 0
    var rest = utf8[...]
    let wanted = Array(part.utf8)
    while rest.count >= wanted.count {
      if rest.starts(with: wanted) { count += 1 }
      rest = rest.dropFirst()
    }
    return count
  }
}
