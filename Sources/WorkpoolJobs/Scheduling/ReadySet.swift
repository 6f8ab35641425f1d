// SPDX-License-Identifier: MIT

/// Where a job stands among those that are ready: the smaller one starts first.
struct Rank: Equatable {
  /// Higher first; aging is in it, see `Scheduler.rank`.
  var priority: Int64 = 0
  /// Nanoseconds of the longest path from here to an end; longer first.
  var path: Int64 = 0
  /// Deeper first.
  var depth: Int32 = 0
  /// Place among all that were submitted.
  var order: UInt64 = 0

  @inline(__always)
  static func < (one: Rank, other: Rank) -> Bool {
    if one.priority != other.priority { return one.priority > other.priority }
    if one.path != other.path { return one.path > other.path }
    if one.depth != other.depth { return one.depth > other.depth }
    return one.order < other.order
  }
}

/// Jobs in the order of their ranks, asked for the first one that takes no more than so much memory.
///
/// A treap, whose nodes know the least request below them: a binary tree by rank, a heap by a number
/// that follows from the job's order by mixing. All steps take O(log n) of the size of the set.
struct ReadySet {
  struct Node {
    var rank = Rank()
    var memory: UInt64 = 0
    var leastBelow: UInt64 = 0
    var weight: UInt64 = 0
    var left: Int32 = -1
    var right: Int32 = -1
  }

  private(set) var root: Int32 = -1
  var isEmpty: Bool { root < 0 }

  /// - Parameter nodes: of all jobs, by index; a job is in one set at a time.
  func first(in nodes: [Node]) -> Int32 {
    var here = root
    while here >= 0, nodes[Int(here)].left >= 0 { here = nodes[Int(here)].left }
    return here
  }

  /// The first one with a request of at most `memory`; −1: there is none.
  func first(within memory: UInt64, in nodes: [Node]) -> Int32 {
    var here = root
    while here >= 0 && nodes[Int(here)].leastBelow <= memory {
      let left = nodes[Int(here)].left
      if left >= 0 && nodes[Int(left)].leastBelow <= memory {
        here = left
      } else if nodes[Int(here)].memory <= memory {
        return here
      } else {
        here = nodes[Int(here)].right
      }
    }
    return -1
  }

  mutating func insert(_ job: Int32, rank: Rank, memory: UInt64, in nodes: inout [Node]) {
    // The finalizer of SplitMix64.
    var weight = rank.order &+ 0x9e37_79b9_7f4a_7c15
    weight = (weight ^ weight >> 30) &* 0xbf58_476d_1ce4_e5b9
    weight = (weight ^ weight >> 27) &* 0x94d0_49bb_1331_11eb
    weight ^= weight >> 31
    nodes[Int(job)] = Node(rank: rank, memory: memory, leastBelow: memory, weight: weight)
    root = Self.insert(job, below: root, in: &nodes)
  }

  mutating func remove(_ job: Int32, in nodes: inout [Node]) {
    root = Self.remove(job, nodes[Int(job)].rank, below: root, in: &nodes)
  }

  private static func insert(_ job: Int32, below top: Int32, in nodes: inout [Node]) -> Int32 {
    guard top >= 0 else { return job }
    if nodes[Int(job)].weight > nodes[Int(top)].weight {
      let (left, right) = split(top, at: nodes[Int(job)].rank, in: &nodes)
      nodes[Int(job)].left = left
      nodes[Int(job)].right = right
      update(job, in: &nodes)
      return job
    }
    if nodes[Int(job)].rank < nodes[Int(top)].rank {
      nodes[Int(top)].left = insert(job, below: nodes[Int(top)].left, in: &nodes)
    } else {
      nodes[Int(top)].right = insert(job, below: nodes[Int(top)].right, in: &nodes)
    }
    update(top, in: &nodes)
    return top
  }

  private static func remove(
    _ job: Int32, _ rank: Rank, below top: Int32, in nodes: inout [Node]
  ) -> Int32 {
    guard top >= 0 else { return top }
    if top == job {
      return merge(nodes[Int(job)].left, nodes[Int(job)].right, in: &nodes)
    }
    if rank < nodes[Int(top)].rank {
      nodes[Int(top)].left = remove(job, rank, below: nodes[Int(top)].left, in: &nodes)
    } else {
      nodes[Int(top)].right = remove(job, rank, below: nodes[Int(top)].right, in: &nodes)
    }
    update(top, in: &nodes)
    return top
  }

  private static func split(
    _ top: Int32, at rank: Rank, in nodes: inout [Node]
  ) -> (left: Int32, right: Int32) {
    guard top >= 0 else { return (-1, -1) }
    if nodes[Int(top)].rank < rank {
      let (left, right) = split(nodes[Int(top)].right, at: rank, in: &nodes)
      nodes[Int(top)].right = left
      update(top, in: &nodes)
      return (top, right)
    }
    let (left, right) = split(nodes[Int(top)].left, at: rank, in: &nodes)
    nodes[Int(top)].left = right
    update(top, in: &nodes)
    return (left, top)
  }

  /// All of `left` come before all of `right`.
  private static func merge(_ left: Int32, _ right: Int32, in nodes: inout [Node]) -> Int32 {
    guard left >= 0 else { return right }
    guard right >= 0 else { return left }
    if nodes[Int(left)].weight > nodes[Int(right)].weight {
      nodes[Int(left)].right = merge(nodes[Int(left)].right, right, in: &nodes)
      update(left, in: &nodes)
      return left
    }
    nodes[Int(right)].left = merge(left, nodes[Int(right)].left, in: &nodes)
    update(right, in: &nodes)
    return right
  }

  @inline(__always)
  private static func update(_ job: Int32, in nodes: inout [Node]) {
    let node = nodes[Int(job)]
    var least = node.memory
    if node.left >= 0 { least = min(least, nodes[Int(node.left)].leastBelow) }
    if node.right >= 0 { least = min(least, nodes[Int(node.right)].leastBelow) }
    nodes[Int(job)].leastBelow = least
  }
}
