// SPDX-License-Identifier: MIT
import CPlatform
import CWorkpool
import Workpool

@c @implementation public func wp_reader_open(
  _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<wp_reader_options>!,
  _ out_reader: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_reader else { throw invalid("out_reader is NULL") }
    out_reader.pointee = Handle.make(try openReader(try endpoint(path), options))
    return .ok
  }
}

@c @implementation public func wp_reader_open_fd(
  _ descriptor: Int32, _ name: UnsafePointer<CChar>!,
  _ options: UnsafePointer<wp_reader_options>!,
  _ out_reader: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_reader else { throw invalid("out_reader is NULL") }
    out_reader.pointee = Handle.make(try openReader(endpoint(descriptor, name), options))
    return .ok
  }
}

@c @implementation public func wp_reader_read(
  _ reader: OpaquePointer!, _ data: UnsafeMutableRawPointer!, _ size: Int,
  _ out_size: UnsafeMutablePointer<Int>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let reader = try checkedReader(reader)
    guard let data, let out_size, size > 0 else {
      throw invalid("data, size or out_size is nothing")
    }
    out_size.pointee = 0
    out_size.pointee = try reader.read(
      into: UnsafeMutableRawBufferPointer(start: data, count: size))
    return out_size.pointee == 0 ? .end : .ok
  }
}

@c @implementation public func wp_reader_next(
  _ reader: OpaquePointer!, _ out_chunk: UnsafeMutablePointer<wp_chunk>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let reader = try checkedReader(reader)
    guard let out_chunk else { throw invalid("out_chunk is NULL") }
    guard let (bytes, extent) = try reader.next() else { return .end }
    out_chunk.pointee = wp_chunk(extent, at: bytes.baseAddress)
    return .ok
  }
}

@c @implementation public func wp_reader_next_into(
  _ reader: OpaquePointer!, _ data: UnsafeMutableRawPointer!, _ capacity: Int,
  _ out_chunk: UnsafeMutablePointer<wp_chunk>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let reader = try checkedReader(reader)
    guard let out_chunk else { throw invalid("out_chunk is NULL") }
    guard capacity >= 0, data != nil || capacity == 0 else {
      throw invalid("capacity without data")
    }
    out_chunk.pointee = wp_chunk()
    switch try reader.next(into: UnsafeMutableRawBufferPointer(start: data, count: capacity)) {
    case .end: return .end
    case .tooSmall(let size):
      out_chunk.pointee.size = size
      throw WorkpoolError(
        .limitExceeded, "the block has \(size) bytes, there is room for \(capacity)",
        path: reader.name)
    case .block(let extent):
      out_chunk.pointee = wp_chunk(extent, at: data)
      return .ok
    }
  }
}

@c @implementation public func wp_reader_seek(_ reader: OpaquePointer!, _ offset: UInt64) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedReader(reader).seek(to: offset)
    return .ok
  }
}

@c @implementation public func wp_reader_tell(
  _ reader: OpaquePointer!, _ out_offset: UnsafeMutablePointer<UInt64>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_offset else { throw invalid("out_offset is NULL") }
    out_offset.pointee = try checkedReader(reader).tell()
    return .ok
  }
}

@c @implementation public func wp_reader_seek_virtual(
  _ reader: OpaquePointer!, _ virtual_offset: UInt64
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checkedReader(reader).seek(toVirtual: virtual_offset)
    return .ok
  }
}

@c @implementation public func wp_reader_tell_virtual(
  _ reader: OpaquePointer!, _ out_virtual_offset: UnsafeMutablePointer<UInt64>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_virtual_offset else { throw invalid("out_virtual_offset is NULL") }
    out_virtual_offset.pointee = try checkedReader(reader).tellVirtual()
    return .ok
  }
}

@c @implementation public func wp_reader_get_info(
  _ reader: OpaquePointer!, _ info: UnsafeMutablePointer<wp_reader_info>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let reader = try checkedReader(reader)
    let room = try checkSize(info)
    room.pointee.compression = value(of: reader.info.compression)
    room.pointee.parts = reader.info.parts
    room.pointee.packed_bytes = reader.info.packedBytes
    room.pointee.bytes = reader.info.decodedBytes
    room.pointee.packed_size = reader.packedSize ?? .max
    return .ok
  }
}

@c @implementation public func wp_reader_note(
  _ reader: OpaquePointer!, _ index: Int
) -> UnsafePointer<CChar>! {
  guard let reader else { return nil }
  return reader.reader.noteText(index)
}

@c @implementation public func wp_reader_close(_ reader: OpaquePointer!) -> Int32 {
  guard let reader else { return WP_OK }
  return border { () throws(WorkpoolError) in
    guard !(try checkedReader(reader)).isAttached else {
      throw WorkpoolError(.busy, "a pipeline reads from it")
    }
    Handle.destroy(reader, FileReader.self)
    return .ok
  }
}

@c @implementation public func wp_pipeline_set_reader(
  _ pipeline: OpaquePointer!, _ reader: OpaquePointer!
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).setReader(try checkedReader(reader))
    return .ok
  }
}

@c @implementation public func wp_writer_open(
  _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<wp_writer_options>!,
  _ out_writer: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_writer else { throw invalid("out_writer is NULL") }
    out_writer.pointee = Handle.make(try openWriter(try endpoint(path), options))
    return .ok
  }
}

@c @implementation public func wp_writer_open_fd(
  _ descriptor: Int32, _ name: UnsafePointer<CChar>!,
  _ options: UnsafePointer<wp_writer_options>!,
  _ out_writer: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    guard let out_writer else { throw invalid("out_writer is NULL") }
    out_writer.pointee = Handle.make(try openWriter(endpoint(descriptor, name), options))
    return .ok
  }
}

@c @implementation public func wp_writer_write(
  _ writer: OpaquePointer!, _ data: UnsafeRawPointer!, _ size: Int
) -> Int32 {
  border { () throws(WorkpoolError) in
    let writer = try checkedWriter(writer)
    guard size >= 0, data != nil || size == 0 else { throw invalid("size without data") }
    try writer.write(UnsafeRawBufferPointer(start: data, count: size))
    return .ok
  }
}

@c @implementation public func wp_writer_finish(
  _ writer: OpaquePointer!, _ info: UnsafeMutablePointer<wp_writer_info>!
) -> Int32 {
  border { () throws(WorkpoolError) in
    let writer = try checkedWriter(writer)
    let room = info == nil ? nil : try checkSize(info)
    let written = try writer.finish()
    room?.pointee.compression = value(of: written.compression)
    room?.pointee.bytes = written.bytes
    room?.pointee.packed_bytes = written.packedBytes
    return .ok
  }
}

@c @implementation public func wp_writer_close(_ writer: OpaquePointer!) -> Int32 {
  guard let writer else { return WP_OK }
  return border { () throws(WorkpoolError) in
    guard !(try checkedWriter(writer)).isAttached else {
      throw WorkpoolError(.busy, "a pipeline writes to it")
    }
    writer.writer.abandon()
    Handle.destroy(writer, FileWriter.self)
    return .ok
  }
}

@c @implementation public func wp_pipeline_set_writer(
  _ pipeline: OpaquePointer!, _ writer: OpaquePointer!
) -> Int32 {
  border { () throws(WorkpoolError) in
    try checked(pipeline).setWriter(try checkedWriter(writer))
    return .ok
  }
}
