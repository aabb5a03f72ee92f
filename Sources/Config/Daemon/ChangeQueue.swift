import ConfigAPI
import ConfigCore
import DequeModule
import Runtime
import Wire

/// Changes on their way to the store thread, in the order in which they came. While one write is under way others gather
/// here; those at the head of the queue that are about the same files then go together, as one write with a version each
/// (group commit): with many writers the disk is waited for once a group and not once a change.
@Loop final class ChangeQueue {
    /// What a caller is told: what became of its files, in its order.
    typealias Answer = @Loop (Result<[Config.Outcome], RPCError>) -> Void

    private struct Waiting {
        var request: Custody.Request
        var answer: Answer
    }

    /// Requests of one write.
    private static let largestGroup = 64
    /// Each version's content is recorded: a group may write so many bytes of them, one request always goes.
    private static let largestGroupBytes: Int64 = 4 << 20
    /// How long after the last change the ledger's log is made durable.
    private static let restBeforeSync: Duration = .milliseconds(100)
    /// Requests that wait; more are refused.
    private static let limit = 1024
    /// After this a job shows as *stuck*; it is not given up, since half a write is for nobody else to finish.
    static let deadline: Duration = .seconds(10)

    private let store: Worker<Custody>
    private let keeper: () -> Keeper
    private let validating: Validating
    private let refusal: (Custody.Request) -> RPCError?
    private let ended: ([Custody.Request], Custody.Changed) -> Void
    private var waiting: Deque<Waiting> = []
    private var isBusy = false
    /// Writes that were begun, and changes in them.
    private(set) var groups: Int64 = 0
    private(set) var requests: Int64 = 0

    /// `refusal` says of each request, when its turn has come, why it is not let through; `ended` is told of every group when
    /// its callers have been answered.
    init(
        store: Worker<Custody>, validating: Validating, keeper: @escaping () -> Keeper,
        refusal: @escaping (Custody.Request) -> RPCError?,
        ended: @escaping ([Custody.Request], Custody.Changed) -> Void
    ) {
        self.store = store
        self.validating = validating
        self.keeper = keeper
        self.refusal = refusal
        self.ended = ended
    }

    /// Takes a change; `answer` is called once. One whose file has a validator comes to the queue when that has accepted it.
    func ask(_ request: Custody.Request, answer: @escaping Answer) {
        guard request.needsValidator else { return take(request, answer: answer) }
        validated(request, tries: Self.mostTries, answer: answer)
    }

    /// Another's change between a validator's look and the write makes the look worthless: it is tried anew so often.
    private static let mostTries = 3

    private func validated(_ request: Custody.Request, tries: Int, answer: @escaping Answer) {
        validating.validate(request) { [weak self] result in
            guard let self else { return }
            switch result {
            case .failure(let error):
                ended([request], Custody.Changed(results: [.failure(error)]))
                answer(.failure(error))
            case .success(let pinned):
                take(pinned) { [weak self] result in
                    guard case .failure(let error) = result, error.name == "versionConflict", tries > 1, let self else {
                        return answer(result)
                    }
                    validated(request, tries: tries - 1, answer: answer)
                }
            }
        }
    }

    private func take(_ request: Custody.Request, answer: @escaping Answer) {
        guard waiting.count < Self.limit else {
            return answer(.failure(.limitExceeded("\(Self.limit) changes wait for the disk already")))
        }
        waiting.append(Waiting(request: request, answer: answer))
        if !isBusy { next() }
    }

    private func next() {
        var group: [Waiting] = []
        while group.isEmpty, !waiting.isEmpty { group = takeGroup().filter(letThrough) }
        isBusy = !group.isEmpty
        guard isBusy else { return }
        groups += 1
        requests += Int64(group.count)
        let requests = group.map(\.request)
        let keeper = keeper()
        var announced: [Keeper.FileID: Int64] = [:]
        for id in requests[0].files { announced[id] = keeper.announced(of: id) }
        store.submit(
            deadline: Self.deadline, { [announced] in $0.change(requests, announced: announced) },
            afterwards: { $0.tidyUp() }
        ) { [weak self] result in
            switch result {
            case .success(let changed):
                // Callers first: what the journal and the subscribers are told is theirs to wait for. Whoever asks for configd
                // itself goes by what has been told.
                let answers = zip(group, changed.results)
                for (waiting, result) in answers where !waiting.request.isOwn { waiting.answer(result) }
                self?.ended(requests, changed)
                for (waiting, result) in answers where waiting.request.isOwn { waiting.answer(result) }
            case .failure(let error):
                for waiting in group { waiting.answer(.failure(Configd.error(error))) }
            }
            self?.next()
            // Otherwise the next group does it.
            if self?.isBusy == false { self?.rest() }
        }
    }

    /// Nobody waits: soon, if nobody comes, the store thread does what a rest is for.
    private func rest() {
        let groups = groups
        _ = Loop.after(Self.restBeforeSync) { [weak self] in
            guard let self, self.groups == groups else { return }
            store.submit { try $0.rest() }
        }
    }

    /// Asked now and not when the request came: whoever was given the service's lock meanwhile must not see its files change.
    private func letThrough(_ waiting: Waiting) -> Bool {
        guard let refusal = refusal(waiting.request) else { return true }
        waiting.answer(.failure(refusal))
        return false
    }

    /// The requests at the head that one write can serve.
    private func takeGroup() -> [Waiting] {
        guard let first = waiting.popFirst() else { return [] }
        var group = [first]
        let files = first.request.files
        let keeper = keeper()
        let bytes = files.reduce(Int64(0)) { bytes, id in
            guard case .whole(let head) = keeper.condition(of: id) else { return bytes + Self.largestGroupBytes }
            return bytes + head.draft.sizeBytes
        }
        let most = min(Int64(Self.largestGroup), Self.largestGroupBytes / max(1, bytes))
        // A change on trial is one transaction of its own: nobody else's change may go back with it.
        while group.count < most, let next = waiting.first?.request, next.files == files,
            first.request.terms.trial == nil, next.terms.trial == nil, let another = waiting.popFirst()
        {
            group.append(another)
        }
        return group
    }
}
