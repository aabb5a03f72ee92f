import MetricsCore
import Testing
import Time

@Suite("Values and times in bits")
struct CodecTests {
    /// Series as they occur: constants, counters, gauges, noise, and every special value.
    private static func series(seed: UInt64, count: Int) -> [UInt64] {
        var random = SeededRandom(seed: seed)
        var value = Double(random.next() % 1_000_000)
        let kind = random.next() % 5
        return (0..<count).map { _ in
            switch kind {
            case 0: break
            case 1: value += Double(random.next() % 4)
            case 2: value += random.unit() - 0.5
            case 3: value = Double(bitPattern: random.next())
            default:
                let specials = [
                    Double.nan, .infinity, -.infinity, 0, -0.0, Staleness.value, .leastNonzeroMagnitude, 1e308,
                ]
                value = specials[Int(random.next() % UInt64(specials.count))]
            }
            return value.bitPattern
        }
    }

    @Test("What was written in any widths is read back", arguments: 0..<20 as Range<UInt64>)
    func bitsRoundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let items = (0..<500).map { _ -> (value: UInt64, width: Int) in
            let width = Int(random.next() % 64) + 1
            return (random.next() >> UInt64(64 - width), width)
        }
        var bits = Bits()
        for item in items { bits.append(item.value, width: item.width) }
        #expect(bits.count == items.reduce(0) { $0 + $1.width })
        var bytes: [UInt8] = [1, 2, 3]
        bits.appendBytes(to: &bytes)
        for source in [bits, Bits(bytes: bytes, from: 3)] {
            var reader = BitReader(source)
            for item in items { #expect(reader.read(item.width) == item.value) }
        }
        var reader = BitReader(bits)
        for item in items { _ = reader.read(item.width) }
        #expect(reader.read(1) == nil)
    }

    @Test("Every value comes back bit by bit, through bytes too", arguments: 0..<40 as Range<UInt64>)
    func valuesRoundTrip(seed: UInt64) throws {
        let values = Self.series(seed: seed, count: 700)
        var encoder = ValueEncoder()
        for value in values { encoder.append(value) }
        let chunk = Chunk(series: SeriesID(7), start: 3, count: values.count, bits: encoder.bits)
        let (block, stored) = try #require(BlockFormat.chunk(BlockFormat.payload(of: chunk, block: 5_000_000_000)))
        #expect(block == 5_000_000_000)
        #expect(stored.series == SeriesID(7))
        #expect(stored.start == 3)
        #expect(stored.count == values.count)
        for bits in [encoder.bits, stored.bits] {
            var decoder = ValueDecoder(bits: bits, count: values.count)
            for value in values { #expect(decoder.next() == value) }
            #expect(decoder.next() == nil)
        }
    }

    @Test("An unchanged value costs one bit")
    func unchangedCostsOneBit() {
        var encoder = ValueEncoder()
        for _ in 0..<601 { encoder.append(Double(42.5).bitPattern) }
        #expect(encoder.bits.count == 64 + 600)
    }

    @Test("Bits that were cut short end the values, they do not trap", arguments: 0..<20 as Range<UInt64>)
    func cutBitsEnd(seed: UInt64) {
        let values = Self.series(seed: seed, count: 200)
        var encoder = ValueEncoder()
        for value in values { encoder.append(value) }
        var bytes: [UInt8] = []
        encoder.bits.appendBytes(to: &bytes)
        var random = SeededRandom(seed: seed)
        var decoder = ValueDecoder(
            bits: Bits(bytes: Array(bytes.prefix(Int(random.next() % UInt64(bytes.count)))), from: 0), count: 200)
        var read = 0
        while decoder.next() != nil { read += 1 }
        #expect(read <= 200)
    }

    @Test("Times come back, steady, jittering and stepped", arguments: 0..<20 as Range<UInt64>)
    func timesRoundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var time: Int64 = 1_795_506_583_948
        let times = (0..<600).map { _ -> Int64 in
            time += seed % 2 == 0 ? 1000 : 980 + Int64(random.next() % 40)
            if random.next() % 100 == 0 { time += Int64(random.next() % 10_000_000) - 5_000_000 }
            return time
        }
        let (block, first, found) = try #require(
            BlockFormat.times(BlockFormat.payload(of: times[60...], first: 60, block: 9)))
        #expect(block == 9)
        #expect(first == 60)
        #expect(found == Array(times[60...]))
    }

    @Test("A steady clock costs one bit a round")
    func steadyTimesAreSmall() {
        let times = (0..<600).map { Int64(1_795_506_583_000 + $0 * 1000) }
        #expect(TimeCodec.encode(times).count < 64 + 16 + 600 + 64)
    }

    @Test("CRC-32C gives the check value of its definition")
    func checksumOfTheStandard() {
        #expect(Checksum.of(Array("123456789".utf8)) == 0xE306_9283)
    }

    @Test("Integers of every size pass the byte stream")
    func integersRoundTrip() {
        var writer = ByteWriter()
        let values: [Int64] = [0, 1, -1, 63, -64, 64, 300, -300, .max, .min]
        for value in values { writer.write(signed: value) }
        writer.write(text: "gemütlich")
        var reader = ByteReader(writer.bytes)
        for value in values { #expect(reader.signed() == value) }
        #expect(reader.text(limit: 100) == "gemütlich")
        #expect(reader.isAtEnd)
        #expect(reader.byte() == nil)
    }
}
