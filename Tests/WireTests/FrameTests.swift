import Testing
import Time
import Wire

@Suite struct FrameTests {
    @Test func aFrameIsItsLengthAndItsBody() {
        #expect(Frame.around([0x7B, 0x7D]) == [0, 0, 0, 2, 0x7B, 0x7D])
        #expect(Frame.around([UInt8](repeating: 0x20, count: Frame.longestBodyBytes))?.count == (1 << 20) + 4)
        #expect(Frame.around([UInt8](repeating: 0x20, count: Frame.longestBodyBytes + 1)) == nil)
    }

    /// However the stream is cut, the same frames come out, and nothing is left.
    @Test func framesComeOutWholeHoweverTheStreamIsCut() throws {
        var random = SeededRandom(seed: 7)
        for _ in 0..<300 {
            let bodies = (0..<Int.random(in: 1..<20, using: &random)).map { _ in
                (0..<Int.random(in: 1..<3000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            var stream = bodies.flatMap { Frame.around($0) ?? [] }[...]
            var reader = FrameReader()
            var found: [[UInt8]] = []
            while !stream.isEmpty {
                let cut = stream.prefix(Int.random(in: 1...4000, using: &random))
                stream = stream.dropFirst(cut.count)
                reader.append(cut)
                while let body = try reader.next() { found.append(body) }
            }
            #expect(found == bodies)
            #expect(reader.pendingBytes == 0)
        }
    }

    @Test func aLengthOverTheLimitIsRefusedBeforeItsBodyArrives() {
        var reader = FrameReader()
        reader.append([0x00, 0x10, 0x00, 0x01])
        let error = #expect(throws: WireError.self) { try reader.next() }
        #expect(error?.description == "frame length: expected at most 1048576 bytes, found 1048577")
    }

    @Test func anEmptyFrameIsRefused() {
        var reader = FrameReader()
        reader.append([0, 0, 0, 0])
        #expect(throws: WireError.self) { try reader.next() }
    }

    @Test func aFrameThatHasNotArrivedWhollyIsWaitedFor() throws {
        var reader = FrameReader()
        reader.append([0, 0, 0, 3, 0x31])
        #expect(try reader.next() == nil)
        #expect(reader.pendingBytes == 5)
        reader.append([0x32, 0x33])
        #expect(try reader.next() == [0x31, 0x32, 0x33])
    }
}
