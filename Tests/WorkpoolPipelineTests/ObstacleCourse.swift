// SPDX-License-Identifier: MIT
import CPlatform
import Synchronization
import Testing
import WorkpoolCore
import WorkpoolTestSupport

@testable import WorkpoolPipeline

/// A pipeline whose callbacks check order, exclusion and the limit, and note each visit.
///
/// What the engine must protect is plain memory: the thread sanitizer sees every gap.
final class ObstacleCourse {
  /// What the callbacks of one stage share.
  struct Post: ~Copyable {
    let isSerial: Bool
    let isExclusive: Bool
    /// Plain on purpose: a serial stage's own.
    var expected: UInt64 = 0
    var visits: UnsafeMutablePointer<UInt8>
    let inside = Atomic<Int>(0)
    let faults: UnsafeMutablePointer<Atomic<Int>>
    let live: UnsafeMutablePointer<Atomic<Int>>
    let most: UnsafeMutablePointer<Atomic<Int>>
    let count: Int
    let isLast: Bool
  }

  private let kinds: [StageKind]
  private let count: Int
  private let limit: Int
  private let posts: UnsafeMutablePointer<Post>
  private let visits: UnsafeMutablePointer<UInt8>
  /// Faults, live blocks, most live blocks.
  private let shared: UnsafeMutablePointer<Atomic<Int>>
  private var postCount: Int { kinds.count + 2 }

  init(kinds: [StageKind], count: Int, limit: Int) {
    self.kinds = kinds
    self.count = count
    self.limit = limit
    let posts = kinds.count + 2
    visits = .allocate(capacity: posts * (count + 1))
    visits.initialize(repeating: 0, count: posts * (count + 1))
    shared = .allocate(capacity: 3)
    for index in 0..<3 { (shared + index).initialize(to: Atomic(0)) }
    self.posts = .allocate(capacity: posts)
    for index in 0..<posts {
      let kind = index == 0 || index == posts - 1 ? .serial : kinds[index - 1]
      (self.posts + index).initialize(
        to: Post(
          isSerial: kind == .serial, isExclusive: kind != .parallel,
          visits: visits + index * (count + 1), faults: shared, live: shared + 1, most: shared + 2,
          count: count, isLast: index == posts - 1))
    }
  }

  deinit {
    posts.deinitialize(count: postCount)
    posts.deallocate()
    visits.deallocate()
    shared.deallocate()
  }

  private static let visit: Stage.Function = { context, memory, _, call in
    let post = context!.assumingMemoryBound(to: Post.self)
    let block = memory.assumingMemoryBound(to: Block.self)
    let number = block.pointee.number
    func fault() { post.pointee.faults.pointee.wrappingAdd(1, ordering: .relaxed) }

    if post.pointee.isExclusive {
      if post.pointee.inside.wrappingAdd(1, ordering: .relaxed).oldValue != 0 { fault() }
    }
    let isSource = call.assumingMemoryBound(to: StageCall.self).pointee.stage == 0
    if post.pointee.isSerial {
      if post.pointee.expected != number { fault() }
      post.pointee.expected = number + 1
    } else if post.pointee.isExclusive {
      post.pointee.expected += 1
    }
    post.pointee.visits[Int(number)] += 1
    var answer = StageReturn.ok
    if isSource {
      if number == post.pointee.count {
        answer = StageReturn.sourceEnd
      } else {
        let live = post.pointee.live.pointee.wrappingAdd(1, ordering: .relaxed).newValue
        if live > post.pointee.most.pointee.load(ordering: .relaxed) {
          _ = post.pointee.most.pointee.max(live, ordering: .relaxed)
        }
        block.pointee.meta.0 = number &* 3
      }
    } else {
      if block.pointee.meta.0 &- UInt64(call.assumingMemoryBound(to: StageCall.self).pointee.stage)
        &+ 1 != number &* 3
      {
        fault()
      }
      block.pointee.meta.0 += 1
      if post.pointee.isLast { post.pointee.live.pointee.wrappingSubtract(1, ordering: .relaxed) }
    }
    if post.pointee.isExclusive { post.pointee.inside.wrappingSubtract(1, ordering: .relaxed) }
    return answer
  }

  func run(workers: Int) throws {
    let label = "\(kinds) limit \(limit), \(count) blocks, \(workers) workers"
    let stages = kinds.enumerated().map { index, kind in
      Stage("", kind, context: posts + (index + 1), Self.visit)
    }
    let pipeline = try Pipeline(
      workers, limit: limit, source: Stage("", .serial, context: posts, Self.visit), stages,
      sink: Stage("", .serial, context: posts + (postCount - 1), Self.visit))
    #expect(try pipeline.runToEnd(label) == .ok, "\(label)")
    #expect(shared[0].load(ordering: .relaxed) == 0, "\(label)")
    for post in 0..<postCount {
      var wrong = 0
      for number in 0..<count where posts[post].visits[number] != 1 { wrong += 1 }
      #expect(wrong == 0, "stage \(post): \(label)")
      #expect(try pipeline.statistics(ofStage: post).blocksOut == UInt64(count), "\(label)")
    }
    #expect(shared[1].load(ordering: .relaxed) == 0, "\(label)")
    #expect(shared[2].load(ordering: .relaxed) <= limit, "\(label)")
    #expect(try pipeline.result().delivered == UInt64(count), "\(label)")
    try pipeline.destroy()
  }
}
