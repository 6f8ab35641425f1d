// SPDX-License-Identifier: MIT
import WorkpoolCore

/// Takes a region at a fixed place.
final class ExtractRegion: ExtractedRegions {
  static var description: StepDescription {
    StepDescription(
      "ExtractRegion", "take a region at a fixed place",
      keys: [
        StepKey("source", aliases: ["segment"], .source(RecipeBuilder.regionParts)),
        StepKey("start", .int(Int.min...Int.max)),
        StepKey("len", aliases: ["length"], .int(0...Int.max)),
        StepKey("anchor", .choice(RecipeBuilder.anchors)), StepKey("out_label", .newLabel(nil)),
      ],
      kindOfTag: { arguments in kind([region(arguments)]) },
      make: { arguments throws(WorkpoolError) in
        try ExtractRegion(arguments, [region(arguments)])
      })
  }

  private static func region(_ arguments: StepArguments) -> RegionRequest {
    RegionRequest(
      source: arguments.source("source"), start: arguments.int("start"),
      length: arguments.int("len"), isFromEnd: arguments.choice("anchor") == 1)
  }
}
