// SPDX-License-Identifier: MIT
import WorkpoolCore

/// What jobs hold while they run: slots, memory, units of named pools. All of a request or nothing.
struct Resources {
  struct NamedPool {
    let name: String
    var size: Int
    var used = 0
    var free: Int { size - used }
  }

  /// A request without its memory. Ready jobs of the same shape are kept together.
  struct Shape: Equatable {
    var isIO: Bool
    var cpus: Int
    /// Indices of pools, ascending, with units.
    var pools: [Use]
    /// Asks for more than there is, and runs by itself with all of it.
    var isAlone = false

    struct Use: Equatable {
      var pool: Int
      var count: Int
    }
  }

  /// Numbers of slots, from 0; those for I/O alone and the others are counted together.
  struct Slots {
    /// The lowest one; −1: none.
    var first: Int32 = -1
    var others: [Int32] = []
  }

  static let heavyCPU = 0
  static let heavyIO = 1

  private(set) var slots: Int
  private(set) var ioSlots: Int
  /// Bytes; 0: any number.
  private(set) var memory: UInt64
  private(set) var pools: [NamedPool]
  private var heavySizes: (cpu: Int, io: Int)

  /// Beside `slots` and `ioSlots`: as many as abandoned jobs hold that are replaced.
  private(set) var substitutes = 0
  private(set) var ioSubstitutes = 0
  private(set) var usedSlots = 0
  private(set) var usedIOSlots = 0
  private(set) var usedMemory: UInt64 = 0
  private(set) var peakMemory: UInt64 = 0
  private(set) var runningAlone = 0
  private var runningShapes = 0
  /// Slots that are taken, one bit each.
  private var taken: [UInt64] = []

  init(_ limits: JobLimits) {
    slots = limits.slots
    ioSlots = limits.ioSlots
    memory = limits.memory
    heavySizes = (limits.heavyCPU, limits.heavyIO)
    pools = [NamedPool(name: "heavy_cpu", size: 0), NamedPool(name: "heavy_io", size: 0)]
    for pool in limits.pools { pools.append(NamedPool(name: pool.name, size: pool.count)) }
    sizeHeavyPools()
  }

  mutating func set(_ limits: JobLimits) {
    slots = limits.slots
    ioSlots = limits.ioSlots
    memory = limits.memory
    heavySizes = (limits.heavyCPU, limits.heavyIO)
    for pool in limits.pools {
      if let index = index(ofPool: pool.name) {
        pools[index].size = pool.count
      } else {
        pools.append(NamedPool(name: pool.name, size: pool.count))
      }
    }
    sizeHeavyPools()
  }

  private mutating func sizeHeavyPools() {
    pools[Self.heavyCPU].size = heavySizes.cpu > 0 ? heavySizes.cpu : slots
    pools[Self.heavyIO].size = heavySizes.io > 0 ? heavySizes.io : max(1, slotsForIO / 2)
  }

  /// How many slots I/O jobs may use.
  var slotsForIO: Int { ioSlots > 0 ? ioSlots : slots }

  private func index(ofPool name: String) -> Int? { pools.firstIndex { $0.name == name } }

  /// What the job will hold.
  /// - Parameter mayBeAlone: a request that is too large is cut to what there is.
  /// - Throws: `unsatisfiable` if it could never get it.
  func shape(
    of spec: JobSpec, id: String, mayBeAlone: Bool
  ) throws(WorkpoolError) -> (shape: Shape, memory: UInt64) {
    let isIO = spec.hint.isIO && ioSlots > 0
    let most = isIO ? ioSlots : slots
    var shape = Shape(isIO: isIO, cpus: max(1, spec.cpus), pools: [])
    var bytes = spec.memory
    var tooLarge: String?
    if shape.cpus > most {
      tooLarge = "asks for \(shape.cpus) \(isIO ? "I/O slots" : "slots"), there are \(most)"
      shape.cpus = most
    }
    if memory > 0 && bytes > memory {
      tooLarge = "asks for \(Self.size(bytes)) of memory, there is \(Self.size(memory))"
      bytes = memory
    }
    var requests = spec.pools
    switch spec.hint {
    case .heavyCPU: requests.append(JobSpec.PoolRequest("heavy_cpu"))
    case .heavyIO: requests.append(JobSpec.PoolRequest("heavy_io"))
    case .lightCPU, .lightIO: break
    }
    for request in requests where request.count > 0 {
      guard let pool = index(ofPool: request.name) else {
        throw WorkpoolError(
          .unsatisfiable, "job \(id) asks for pool \(request.name), which there is not")
      }
      if let known = shape.pools.firstIndex(where: { $0.pool == pool }) {
        shape.pools[known].count += request.count
      } else {
        shape.pools.append(Shape.Use(pool: pool, count: request.count))
      }
    }
    if shape.pools.count > 1 { shape.pools.sort { $0.pool < $1.pool } }
    for use in shape.pools.indices {
      let pool = pools[shape.pools[use].pool]
      let count = shape.pools[use].count
      guard count > pool.size else { continue }
      tooLarge = "asks for \(count) of pool \(pool.name), there are \(pool.size)"
      shape.pools[use].count = pool.size
    }
    if let tooLarge {
      guard mayBeAlone else {
        throw WorkpoolError(.unsatisfiable, "job \(id) \(tooLarge)")
      }
      shape.isAlone = true
    }
    return (shape, bytes)
  }

  /// `16M` for 16 MiB; bytes where it is no whole number of a larger unit.
  private static func size(_ bytes: UInt64) -> String {
    var number = bytes
    var unit: StaticString = " bytes"
    let units: [StaticString] = ["K", "M", "G", "T"]
    for next in units where number >= 1024 && number % 1024 == 0 {
      number /= 1024
      unit = next
    }
    return "\(number)\(unit)"
  }

  var freeMemory: UInt64 { memory == 0 ? .max : memory > usedMemory ? memory - usedMemory : 0 }
  var hasFreeSlot: Bool {
    runningAlone == 0
      && (usedSlots < slots + substitutes || usedIOSlots < ioSlots + ioSubstitutes)
  }

  func hasSlots(for shape: Shape) -> Bool {
    if shape.isAlone { return runningShapes == 0 }
    if runningAlone > 0 { return false }
    return shape.isIO
      ? usedIOSlots + shape.cpus <= ioSlots + ioSubstitutes
      : usedSlots + shape.cpus <= slots + substitutes
  }

  func hasUnits(for shape: Shape) -> Bool {
    for use in shape.pools where pools[use.pool].free < use.count { return false }
    return true
  }

  func fits(_ shape: Shape, _ bytes: UInt64) -> Bool {
    hasSlots(for: shape) && hasUnits(for: shape) && bytes <= freeMemory
  }

  /// Whether a job of this shape would take something that the other one lacks now, memory apart.
  func takes(_ shape: Shape, what lacks: Shape) -> Bool {
    if lacks.isAlone && !hasSlots(for: lacks) { return true }
    if !hasSlots(for: lacks) && shape.isIO == lacks.isIO { return true }
    for use in lacks.pools where pools[use.pool].free < use.count {
      if shape.pools.contains(where: { $0.pool == use.pool }) { return true }
    }
    return false
  }

  /// - Parameter borrowsSlots: works on slots that another job lends.
  /// - Returns: the slots with the lowest numbers that are free.
  mutating func take(_ shape: Shape, _ bytes: UInt64, borrowsSlots: Bool) -> Slots {
    for use in shape.pools { pools[use.pool].used += use.count }
    usedMemory += bytes
    peakMemory = max(peakMemory, usedMemory)
    if borrowsSlots { return Slots() }
    runningShapes += 1
    if shape.isAlone { runningAlone += 1 }
    if shape.isIO {
      usedIOSlots += shape.cpus
    } else {
      usedSlots += shape.cpus
    }
    return Self.take(shape.cpus, of: &taken)
  }

  mutating func give(_ shape: Shape, _ bytes: UInt64, _ numbers: Slots) {
    for use in shape.pools { pools[use.pool].used -= use.count }
    usedMemory -= bytes
    if numbers.first < 0 { return }
    runningShapes -= 1
    if shape.isAlone { runningAlone -= 1 }
    if shape.isIO {
      usedIOSlots -= shape.cpus
    } else {
      usedSlots -= shape.cpus
    }
    Self.give(numbers, to: &taken)
  }

  /// A job of this shape holds its slots, and others may have as many; `ends`: no longer.
  mutating func substitute(for shape: Shape, ends: Bool = false) {
    let count = ends ? -shape.cpus : shape.cpus
    if shape.isIO { ioSubstitutes += count } else { substitutes += count }
  }

  private static func take(_ count: Int, of taken: inout [UInt64]) -> Slots {
    var slots = Slots()
    var word = 0
    for index in 0..<count {
      while word < taken.count && taken[word] == .max { word += 1 }
      if word == taken.count { taken.append(0) }
      let bit = (~taken[word]).trailingZeroBitCount
      taken[word] |= 1 << UInt64(bit)
      let number = Int32(word * 64 + bit)
      if index == 0 { slots.first = number } else { slots.others.append(number) }
    }
    return slots
  }

  private static func give(_ slots: Slots, to taken: inout [UInt64]) {
    taken[Int(slots.first) / 64] &= ~(1 << UInt64(slots.first % 64))
    for number in slots.others { taken[Int(number) / 64] &= ~(1 << UInt64(number % 64)) }
  }
}
