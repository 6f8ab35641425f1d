// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Workpool

@c @implementation public func wp_step_info(
  _ index: Int, _ name: UnsafeMutablePointer<UnsafePointer<CChar>?>!,
  _ summary: UnsafeMutablePointer<UnsafePointer<CChar>?>!,
  _ keys: UnsafeMutablePointer<UnsafePointer<CChar>?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let texts = StepTexts.of(index) else { return .end }
    name?.pointee = texts.name
    summary?.pointee = texts.summary
    keys?.pointee = texts.keys
    return .ok
  }
}

@c @implementation public func wp_recipe_create(
  _ segment_names: UnsafePointer<UnsafePointer<CChar>?>!, _ segment_count: Int,
  _ is_interleaved: Int32, _ out_recipe: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_recipe else { throw invalid("out_recipe is NULL") }
    guard 1...1000 ~= segment_count else { throw invalid("a recipe has 1 to 1000 segments") }
    var names: [String] = []
    for index in 0..<segment_count {
      names.append(
        segment_names == nil ? "read\(index + 1)" : try text(segment_names[index], "segment name"))
    }
    out_recipe.pointee = Handle.make(
      try RecipeDraft(segments: names, isInterleaved: is_interleaved != 0))
    return .ok
  }
}

@c @implementation public func wp_recipe_add(
  _ recipe: OpaquePointer!, _ step: UnsafePointer<CChar>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    try required(recipe, "recipe").recipe.add(try text(step, "step"))
    return .ok
  }
}

@c @implementation public func wp_recipe_add_step(
  _ recipe: OpaquePointer!, _ action: UnsafePointer<CChar>!, _ params: UnsafePointer<wp_param>!,
  _ param_count: Int
) -> Int32 {
  border { () throws(WorkpoolError) in
    let draft = try required(recipe, "recipe").recipe
    let name = try text(action, "action")
    try draft.add(StepRequest(name, stepParameters(params, param_count)))
    return .ok
  }
}

@c @implementation public func wp_recipe_add_barcode(
  _ recipe: OpaquePointer!, _ section: UnsafePointer<CChar>!, _ barcode: UnsafePointer<CChar>!,
  _ stream: UnsafePointer<CChar>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    try required(recipe, "recipe").recipe.add(
      barcode: text(barcode, "barcode"), stream: text(stream, "stream"),
      to: text(section, "section"))
    return .ok
  }
}

@c @implementation public func wp_recipe_set_prefix(
  _ recipe: OpaquePointer!, _ prefix: UnsafePointer<CChar>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    try required(recipe, "recipe").recipe.set(prefix: text(prefix, "prefix"))
    return .ok
  }
}

@c @implementation public func wp_recipe_check(_ recipe: OpaquePointer!) -> Int32 {
  border { () throws(WorkpoolError) in
    try required(recipe, "recipe").recipe.check()
    return .ok
  }
}

@c @implementation public func wp_recipe_run(
  _ recipe: OpaquePointer!, _ pool: OpaquePointer!,
  _ inputs: UnsafePointer<UnsafePointer<CChar>?>!, _ input_count: Int,
  _ outputs: UnsafePointer<UnsafePointer<CChar>?>!, _ output_count: Int,
  _ options: UnsafePointer<wp_run_options>!, _ report: UnsafeMutablePointer<wp_run_report>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let draft = try required(recipe, "recipe").recipe
    if let pool { try checkFork(pool.pool) }
    let room = report == nil ? nil : try checkSize(report)
    let result = try draft.run(
      on: pool?.pool, inputs: try texts(inputs, input_count, "inputs"),
      outputs: output_count == 0 ? [] : try texts(outputs, output_count, "outputs"),
      try runOptions(options, workers: pool?.pool.workerCount ?? 1))
    room?.pointee.status = result.status.rawValue
    room?.pointee.wall_ns = result.wallNanoseconds
    room?.pointee.reads_in = result.readsIn
    room?.pointee.reads_out = result.readsOut
    room?.pointee.bases_in = result.basesIn
    room?.pointee.bases_out = result.basesOut
    if let error = result.error { throw error }
    return result.status
  }
}

@c @implementation public func wp_recipe_destroy(_ recipe: OpaquePointer!) {
  if let recipe { Handle.destroy(recipe, RecipeDraft.self) }
}
