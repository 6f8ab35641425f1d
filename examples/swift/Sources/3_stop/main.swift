// SPDX-License-Identifier: MIT
// Counts primes until there are 5000: an endless source, and a stage that knows when to stop.
import Workpool

let numbers: UInt64 = 1000
let wanted: UInt64 = 5000

func isPrime(_ n: UInt64) -> Bool {
  var divisor: UInt64 = 2
  while divisor * divisor <= n {
    if n % divisor == 0 { return false }
    divisor += 1
  }
  return n > 1
}

func run() throws(WorkpoolError) {
  let pool = try Pool()
  let pipeline = try Pipeline(on: pool)
  // The source would go on for ever: block n stands for the numbers from n * 1000 on.
  try pipeline.setSource("numbers") { block, _ in
    block.pointee.meta.0 = block.pointee.number * numbers
    return .goOn
  }
  try pipeline.addStage("primes", .parallel) { block, _ in
    let first = block.pointee.meta.0
    block.pointee.meta.1 = UInt64((first..<first + numbers).count(where: isPrime))
    return .goOn
  }
  var total: UInt64 = 0
  try pipeline.addStage("sum", .serial) { block, _ in
    total += block.pointee.meta.1
    // This block is the last one that goes on, whatever other workers have begun meanwhile.
    return total >= wanted ? .stop : .goOn
  }

  let status = try pipeline.run()
  let outcome = try pipeline.result()
  let last = outcome.number ?? 0
  print("\(status == .stopped ? "stopped" : "ended") at block \(last)")
  print("\(total) primes below \((last + 1) * numbers)")
  print("\(outcome.delivered) blocks delivered")
  try pipeline.destroy()
  try pool.close()
}

try run()
