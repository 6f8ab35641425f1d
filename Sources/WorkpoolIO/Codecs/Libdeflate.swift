// SPDX-License-Identifier: MIT
#if Libdeflate
  import CLibdeflate
  import WorkpoolCore

  // libdeflate packs and unpacks whole streams only, and asks malloc for its contexts: to give it
  // another allocator would do so for all its users in the process.

  struct LibdeflateInflater: ~Copyable {
    private let context: OpaquePointer

    init() throws(WorkpoolError) {
      guard let context = libdeflate_alloc_decompressor() else { throw noMemory }
      self.context = context
    }

    deinit { libdeflate_free_decompressor(context) }

    func inflate(
      _ packed: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer
    ) -> BlockOutcome {
      var taken = 0
      // Without a place for the size made it must fit exactly.
      let result = libdeflate_deflate_decompress_ex(
        context, packed.baseAddress, packed.count, bytes.baseAddress, bytes.count, &taken, nil)
      return result == LIBDEFLATE_SUCCESS && taken == packed.count ? .ended : .damaged
    }
  }

  struct LibdeflateDeflater: ~Copyable {
    private let context: OpaquePointer

    init(level: Int) throws(WorkpoolError) {
      guard let context = libdeflate_alloc_compressor(Int32(level)) else { throw noMemory }
      self.context = context
    }

    deinit { libdeflate_free_compressor(context) }

    func deflate(
      _ bytes: UnsafeRawBufferPointer, into packed: UnsafeMutableRawBufferPointer
    ) -> Int? {
      let size = libdeflate_deflate_compress(
        context, bytes.baseAddress, bytes.count, packed.baseAddress, packed.count)
      return size == 0 ? nil : size
    }
  }

  private var noMemory: WorkpoolError { WorkpoolError(.noMemory, "no memory for libdeflate") }
#endif
