// SPDX-License-Identifier: MIT
#if ISAL
  import CISAL
  import CPlatform
  import WorkpoolCore

  /// Decodes up to three literals at once, so the last two before a cut may be missing; whether they are depends
  /// on how much input there was at a time, not on the room. Damage is found where it is whatever the calls, of
  /// some codes a little later than by zlib.
  struct ISALInflater: ~Copyable {
    private let context: UnsafeMutableRawPointer

    init() throws(WorkpoolError) {
      guard let context = wpl_allocate_zeroed(wpi_inflater_size()) else { throw noMemory }
      self.context = context
      reset()
    }

    deinit { wpl_free(context) }

    func reset() { wpi_inflate_reset(context) }

    func inflate(
      _ packed: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer
    ) -> Inflation {
      var (taken, made) = (0, 0)
      let code = wpi_inflate(
        context, packed.baseAddress, packed.count, bytes.baseAddress, bytes.count, &taken, &made)
      return Inflation(
        taken: taken, made: made, outcome: code == 0 ? .goesOn : code > 0 ? .ended : .damaged)
    }
  }

  private var noMemory: WorkpoolError { WorkpoolError(.noMemory, "no memory for ISA-L") }
#endif
