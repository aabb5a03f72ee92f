// The target of Scripts/fuzz: whatever bytes a peer sends, the frame and JSON readers answer or refuse; they never trap, hang
// or take something for what it is not. Compiled with the sources of Wire, not as a target of the package.

#if CANARY
    import Glibc
#endif

/// libFuzzer's entry. The first byte says in which pieces the rest arrives.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let first = input.first else { return 0 }
    read(json: Array(input.dropFirst()))
    readStream(Array(input.dropFirst()), piece: Int(first) + 1)
    // The same bytes as a frame whose length is right, which the fuzzer would seldom hit by itself.
    if let frame = Frame.around(Array(input.dropFirst())) { readStream(frame, piece: Int(first) + 1) }
    return 0
}

/// The frames must be the same however the stream was cut, and the reader may never hold more than one and what came with it.
private func readStream(_ bytes: [UInt8], piece: Int) {
    let whole = frames(bytes, piece: max(bytes.count, 1))
    let cut = frames(bytes, piece: piece)
    precondition(whole.bodies == cut.bodies, "the pieces changed the frames")
    precondition(whole.refused == cut.refused, "the pieces changed the refusal")
    for body in whole.bodies { read(json: body) }
}

private func frames(_ bytes: [UInt8], piece: Int) -> (bodies: [[UInt8]], refused: Bool) {
    var reader = FrameReader()
    var bodies: [[UInt8]] = []
    var position = 0
    while position < bytes.count {
        let end = min(position + piece, bytes.count)
        reader.append(bytes[position..<end])
        position = end
        do {
            while let body = try reader.next() { bodies.append(body) }
        } catch {
            return (bodies, true)
        }
        precondition(
            reader.pendingBytes <= Frame.headerBytes + Frame.longestBodyBytes + piece, "the reader keeps too much")
    }
    return (bodies, false)
}

/// What was read must be written so that it reads the same, byte for byte the second time.
private func read(json bytes: [UInt8]) {
    guard let value = try? JSONReader.read(bytes) else { return }
    precondition(String(validating: bytes, as: UTF8.self) != nil, "bytes that are no UTF-8 were taken")
    let written = JSONWriter.bytes(of: value)
    guard let again = try? JSONReader.read(written) else { preconditionFailure("what was written cannot be read") }
    precondition(JSONWriter.bytes(of: again) == written, "the second writing differs")
    precondition(again == value, "the value changed on the way")
    if let request = try? Request(value) {
        guard let json = try? JSONReader.read(request.bytes), let copy = try? Request(json) else {
            preconditionFailure("a request cannot be read back")
        }
        precondition(copy == request, "the request changed on the way")
    }
    _ = try? ServerMessage(value)
    #if CANARY
        // The planted bug: a fuzzer that does not find it finds nothing.
        if case .array(let list) = value, list.count == 2 {
            print("canary: the planted bug")
            fflush(nil)
            abort()
        }
    #endif
}
