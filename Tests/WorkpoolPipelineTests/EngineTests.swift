// SPDX-License-Identifier: MIT
import Testing

/// All tests of the engine, one after the other: they share pools, and callbacks that wait at a gate
/// need all workers of theirs.
@Suite(.serialized) enum EngineTests {}
