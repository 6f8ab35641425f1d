// SPDX-License-Identifier: MIT
import Testing
import WorkpoolCore

@testable import WorkpoolFASTQ

@Suite struct SpellingTests {
  @Test("letter case, underscores and hyphens do not count")
  func same() {
    #expect(isSameName("read_name-End_CHAR", "readnameendchar"))
    #expect(!isSameName("illumina1.3", "illumina13"))
    #expect(!isSameName("a", "b"))
  }

  @Test(
    "edits are insertion, deletion, replacement and exchange of neighbours",
    arguments: [
      ("", "", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("rihgt", "right", 1),
      ("kitten", "sitting", 3), ("ca", "abc", 3), ("abcd", "acbd", 1),
    ])
  func distance(one: String, other: String, expected: Int) {
    #expect(editDistance(Array(one.utf8), Array(other.utf8)) == expected)
    #expect(editDistance(Array(other.utf8), Array(one.utf8)) == expected)
  }

  @Test(
    "the nearest name lies within a third of the word's length",
    arguments: [
      ("rihgt", "right"), ("Left", "left"), ("lef", "left"), ("xyz", nil), ("l", nil),
      ("anywere", "anywhere"), (String(repeating: "x", count: 5000), nil),
    ])
  func nearest(word: String, expected: String?) {
    #expect(nearestName(to: word, among: ["left", "right", "anywhere"]) == expected)
  }
}
