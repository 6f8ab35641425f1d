// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolJobs

@Suite struct BatchRunTests {
  @Test("a token that was cancelled or marked before cancels the run")
  func cancelledBefore() throws {
    for isMarked in [false, true] {
      let token = try Token()
      if isMarked { token.mark(.user) } else { token.cancel() }
      let batch = try BatchRun(ChildCommand(["sleep", "600"]), token: token)
      let item = Array("1".utf8)
      let (results, failure) = batch.run(2, json: { _ in item[...] }, tell: { _ in })
      #expect(failure.isEmpty)
      for result in results { #expect(result.state == .cancelled && result.reason == .user) }
    }
  }
}
