import Time
package import Wire

/// Words to a peer that must not be lost to its restart: for each subject the last one alone, since it says how things stand
/// now. A word is kept until it was heard or refused for good; one that met a passing refusal is said again after a second.
@Loop package final class Unsaid<Word: Hashable & Sendable> {
    /// How long after a failure what is unsaid is said again.
    private static var retryDelay: Duration { .seconds(1) }

    private let send: @Loop (Word) -> Void
    private let also: Set<String>
    private var words: [String: Word] = [:]
    private var isRetryPlanned = false

    /// `send` calls the peer and tells `answered`. `alsoPassing` names refusals of that peer that another try may not meet,
    /// beside those of any socket.
    package init(alsoPassing also: Set<String> = [], send: @escaping @Loop (Word) -> Void) {
        self.also = also
        self.send = send
    }

    /// The word that has not been heard; nil where there is none.
    package subscript(_ subject: String) -> Word? { words[subject] }

    /// Says a word, in the place of an earlier one about the same.
    package func say(_ word: Word, about subject: String) {
        words[subject] = word
        send(word)
    }

    /// The word is of no use any more.
    package func forget(_ subject: String) { words[subject] = nil }

    /// The peer has answered a word. Another refusal than a passing one is for good: it was said too late, or saying it again
    /// would change nothing. The answer to a word that is not the last one any more says nothing of that.
    package func answered<Reply>(_ word: Word, about subject: String, _ result: Result<Reply, RPCError>) {
        guard words[subject] == word else { return }
        switch result {
        case .failure(let error) where error.mayPass || also.contains(error.name): sayLater()
        case .success, .failure: words[subject] = nil
        }
    }

    private func sayLater() {
        guard !isRetryPlanned else { return }
        isRetryPlanned = true
        Loop.after(Self.retryDelay) { [weak self] in
            guard let self else { return }
            isRetryPlanned = false
            for (_, word) in words.sorted(by: { $0.key < $1.key }) { send(word) }
        }
    }
}
