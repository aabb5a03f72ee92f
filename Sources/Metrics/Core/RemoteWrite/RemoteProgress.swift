package import Wire

/// How far a receiver has been given what is measured. Within a block rounds have rising times, so the time of the last one says which
/// it has; blocks below the first that counts are handed on whole.
package struct RemoteProgress: WireObject, Hashable {
    /// Blocks with lower numbers have been handed on.
    package var firstBlock: Int64
    /// Of blocks from there on, the last round that was handed on, ms since 1970; nothing of one that is not named here.
    package private(set) var lastMs: [Int64: Int64]

    package init(firstBlock: Int64 = 0, lastMs: [Int64: Int64] = [:]) {
        self.firstBlock = firstBlock
        self.lastMs = lastMs
    }

    /// Whether a round is still to be handed on.
    package func isUnsent(block: Int64, timeMs: Int64) -> Bool {
        guard block >= firstBlock else { return false }
        return lastMs[block].map { timeMs > $0 } ?? true
    }

    /// The first time of a block that is still to be handed on, if it has one.
    package func unsentFromMs(block: Int64) -> Int64 { lastMs[block].map { $0 + 1 } ?? Int64.min }

    /// The last time of a block that is handed on: all of a block below the first that counts, nothing of one that is not named.
    package func throughMs(block: Int64) -> Int64 { block < firstBlock ? Int64.max : lastMs[block] ?? Int64.min }

    /// Rounds of some blocks are handed on, too.
    package mutating func advance(_ through: [Int64: Int64]) {
        lastMs.merge(through) { max($0, $1) }
    }

    /// Every block below this one is handed on.
    package mutating func forget(below block: Int64) {
        firstBlock = max(firstBlock, block)
        lastMs = lastMs.filter { $0.key >= firstBlock }
    }

    /// A block's number and its last round.
    private struct Part: WireObject {
        var block: Int64
        var lastMs: Int64

        init(_ block: Int64, _ lastMs: Int64) {
            self.block = block
            self.lastMs = lastMs
        }

        init(from fields: inout Fields) throws(WireError) {
            block = try fields.value("block")
            lastMs = try fields.value("lastMs")
        }

        func write(to object: inout ObjectWriter) {
            object.member("block", block)
            object.member("lastMs", lastMs)
        }
    }

    package init(from fields: inout Fields) throws(WireError) {
        firstBlock = try fields.value("firstBlock")
        let parts: [Part] = try fields.value("blocks")
        lastMs = Dictionary(parts.map { ($0.block, $0.lastMs) }, uniquingKeysWith: max)
    }

    package func write(to object: inout ObjectWriter) {
        object.member("firstBlock", firstBlock)
        object.member("blocks", lastMs.sorted { $0.key < $1.key }.map { Part($0.key, $0.value) })
    }
}

/// What is kept on disk of one receiver, so that a start goes on where the life before it ended.
///
/// The batch that is about to be sent is part of it. Who dies while one is under way does not know whether it arrived, and sends the very
/// same again: a receiver that has it refuses all of it as too old (Prometheus takes a request or leaves it, whole), and then it is
/// known to be there.
package struct RemoteRecord: WireObject, Hashable {
    package var url: String
    package var sent: RemoteProgress
    /// How far it will be when the batch under way has arrived; nil while none is.
    package var sending: RemoteProgress?

    package init(url: String, sent: RemoteProgress, sending: RemoteProgress? = nil) {
        self.url = url
        self.sent = sent
        self.sending = sending
    }

    package init(from fields: inout Fields) throws(WireError) {
        url = try fields.value("url")
        sent = try fields.value("sent")
        sending = try fields.optional("sending")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("url", url)
        object.member("sent", sent)
        object.member("sending", sending)
    }
}

/// What is unsent of one block, as a batch is planned.
package struct UnsentBlock: Hashable, Sendable {
    package var number: Int64
    /// Its rounds that are on disk, ms since 1970, rising.
    package var times: [Int64]
    /// Series in each round, roughly.
    package var series: Int

    package init(number: Int64, times: [Int64], series: Int) {
        self.number = number
        self.times = times
        self.series = series
    }
}

/// Which rounds go together.
package enum RemotePlan {
    /// The oldest unsent rounds of all blocks together, up to about so many samples, and at least one round: receivers want what they
    /// get in order of time, and Prometheus takes nothing that is more than an hour older than its newest.
    /// - Returns: of each block that has a part in it its last round; and whether rounds are left.
    package static func next(
        _ blocks: [UnsentBlock], after progress: RemoteProgress, samples: Int
    ) -> (through: [Int64: Int64], isMore: Bool) {
        var rounds: [(time: Int64, block: Int64, series: Int)] = []
        for block in blocks {
            for time in block.times where progress.isUnsent(block: block.number, timeMs: time) {
                rounds.append((time, block.number, block.series))
            }
        }
        rounds.sort { ($0.time, $0.block) < ($1.time, $1.block) }
        var through: [Int64: Int64] = [:]
        var count = 0
        for round in rounds {
            guard through.isEmpty || count + round.series <= samples else { return (through, true) }
            count += round.series
            through[round.block] = round.time
        }
        return (through, false)
    }
}
